/** Conversations as text: chat templates, run so that they can do no harm. */
@NullMarked
package dev.demitasse.model.chat;

import org.jspecify.annotations.NullMarked;
