/** What a model is: configuration, tensors, families of architectures and their tensor names. */
@NullMarked
package dev.demitasse.model;

import org.jspecify.annotations.NullMarked;
