#pragma once

namespace millrace {

// Makes sure that an object is finalized only once. Deno (up to 2.9.5) finalizes living objects when a thread ends, and
// may finalize them again when they are collected afterwards. Pass NewFinalizeOnce() to napi_wrap() as the hint, and
// begin the finalizer with IsFirstFinalize(hint), which is false the second time. Any thread may call them.
void* NewFinalizeOnce();
bool IsFirstFinalize(void* once);

}  // namespace millrace
