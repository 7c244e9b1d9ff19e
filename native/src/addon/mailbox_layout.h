// The layout of the mailbox: the array of doubles through which a call to the addon passes its arguments
// and its results. native/layout.ts repeats these constants, and test/rules compares the two files.
//
// A request is kRequestWords words, and then for each input of the signature kInputWords words and its
// dimensions. A record of a finished request is kRecordWords words, and then for each output kOutputWords
// words, its dimensions, and its bytes padded to whole words. A record of a generation is kGenerationWords words and its
// new tokens.
//
// Why: .github/decisions/0002-a-mailbox-instead-of-arguments.md
#pragma once

namespace millrace {

// The words of a request. The timeout is in nanoseconds, and negative where the request has none.
inline constexpr int kRequestTimeout = 0;
inline constexpr int kRequestPriority = 1;
inline constexpr int kRequestStart = 2;
inline constexpr int kRequestWords = 3;

// The values of kRequestStart. With kStartLater the caller wakes a worker later. With kStartWake submit() wakes one.
// With kStartAtOnce the addon runs the request on the JavaScript thread if it expects that to be fastest, and otherwise
// wakes a worker. After submit() the word is kStartDone if the request has already run, so that drain() will return it.
inline constexpr int kStartLater = 0;
inline constexpr int kStartWake = 1;
inline constexpr int kStartAtOnce = 2;
inline constexpr int kStartDone = 3;

// The word to which submit() writes the milliseconds after which to retry, if it refuses a request with UNAVAILABLE.
inline constexpr int kRetryAfter = 0;

// The words of an input. The rank is kInputLeftOut where the request leaves out a mask.
inline constexpr int kInputFlags = 0;
inline constexpr int kInputRank = 1;
inline constexpr int kInputWords = 2;
inline constexpr int kInputLeftOut = -1;

// The bits of kInputFlags. kInputBorrowed: the addon may read the caller's memory until the request has finished.
// kInputPixels: the input is pixels, which the model takes as planes.
inline constexpr int kInputBorrowed = 1;
inline constexpr int kInputPixels = 2;

// The words of a record. Rows and requests are those of the batch; both times are in milliseconds. The length is the
// number of words of the whole record, after which the next one starts.
inline constexpr int kRecordSlot = 0;
inline constexpr int kRecordCode = 1;
inline constexpr int kRecordFlags = 2;
inline constexpr int kRecordRows = 3;
inline constexpr int kRecordRequests = 4;
inline constexpr int kRecordQueueMs = 5;
inline constexpr int kRecordComputeMs = 6;
inline constexpr int kRecordOutputs = 7;
inline constexpr int kRecordLength = 8;
inline constexpr int kRecordWords = 9;

// The bits of kRecordFlags. kFlagRetained: JavaScript has to release the slot, because it still has a message or
// outputs to fetch. kFlagOtherRows: the request ran alone, and its outputs have another number of rows than its inputs.
inline constexpr int kFlagRetained = 1;
inline constexpr int kFlagOtherRows = 2;

// The words of an output. The number of bytes is kOutputFetched where they are not in the record and
// JavaScript fetches them with take(), strings() or packedStrings().
inline constexpr int kOutputBytes = 0;
inline constexpr int kOutputRank = 1;
inline constexpr int kOutputWords = 2;
inline constexpr int kOutputFetched = -1;

// The words of a record of a generation, after which its new tokens follow. The code is kGenerationRunning if it goes on.
// All words from the tokens on have a meaning only in the record of its end: the tokens are the number of all of its
// tokens, which takeGeneration() returns, and 0 if it failed; the score is NaN if there is none; times are in
// milliseconds; rows and requests are those of its largest step.
inline constexpr int kGenerationSlot = 0;
inline constexpr int kGenerationCode = 1;
inline constexpr int kGenerationNewTokens = 2;
inline constexpr int kGenerationTokens = 3;
inline constexpr int kGenerationFinish = 4;
inline constexpr int kGenerationScore = 5;
inline constexpr int kGenerationQueueMs = 6;
inline constexpr int kGenerationPrefillMs = 7;
inline constexpr int kGenerationDecodeMs = 8;
inline constexpr int kGenerationSteps = 9;
inline constexpr int kGenerationRows = 10;
inline constexpr int kGenerationRequests = 11;
inline constexpr int kGenerationWords = 12;
inline constexpr int kGenerationRunning = -1;

// The values of kGenerationFinish.
inline constexpr int kFinishStop = 0;
inline constexpr int kFinishLength = 1;

}  // namespace millrace
