/** JMH benchmarks of kernels. */
@NullMarked
package dev.demitasse.benchmarks;

import org.jspecify.annotations.NullMarked;
