#pragma once

namespace millrace {

// The right to finalize an object, to be used once: Deno (up to 2.9.5) finalizes what is alive when a thread
// ends, and may do so again when it is collected afterwards. NewFinalizeOnce() goes to napi_wrap() as the hint, and
// the finalizer begins with IsFirstFinalize(hint), which is false the second time. Any thread.
void* NewFinalizeOnce();
bool IsFirstFinalize(void* once);

}  // namespace millrace
