#pragma once

// CHUNKER_TEST_SANITIZED: this is built with a sanitizer, which takes memory by its own rules. clang 19 says so in
// another way than g++.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CHUNKER_TEST_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CHUNKER_TEST_SANITIZED
#endif
#endif
