/* vectors.h - a function compiled twice: for any processor, and for one with AVX2; the right one is
 * chosen when the program starts. Not under gcc's thread sanitizer: the choice comes before the
 * sanitizer is set up, and crashes in it. */
#ifndef HD_BASE_VECTORS_H
#define HD_BASE_VECTORS_H

#ifdef __SANITIZE_THREAD__
#define HD_VECTORS
#else
#define HD_VECTORS __attribute__((target_clones("avx2", "default")))
#endif

#endif
