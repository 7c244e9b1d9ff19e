#include "batching/share.h"

#include <algorithm>
#include <chrono>

namespace millrace {

void DeviceShare::Join(Member& member, uint32_t workers) {
  const std::lock_guard lock(mutex_);
  member.workers = workers;
  slots_ = std::max(slots_, workers);
  member.virtual_time = now_;
  members_.push_back(&member);
}

void DeviceShare::Leave(Member& member) {
  const std::lock_guard lock(mutex_);
  std::erase(members_, &member);
  slots_ = least_slots_;
  for (const Member* other : members_) slots_ = std::max(slots_, other->workers);
}

bool DeviceShare::IsNext(const Member& member) const {
  if (taken_ >= slots_) return false;
  return std::ranges::none_of(members_, [&member](const Member* other) {
    return other != &member && other->waiting > 0 && other->virtual_time < member.virtual_time;
  });
}

void DeviceShare::Await(std::unique_lock<std::mutex>& lock, Member& member) {
  if (member.waiting == 0) member.virtual_time = std::max(member.virtual_time, now_);
  ++member.waiting;
  const std::chrono::nanoseconds limit(max_wait_ + std::min(4 * usual_, kMostUsual));
  turn_.wait_for(lock, limit, [&] { return IsNext(member); });
  --member.waiting;
  ++taken_;
  now_ = std::max(now_, member.virtual_time);
}

void DeviceShare::GiveBack(Member& member, Nanos used) {
  --taken_;
  member.virtual_time += static_cast<double>(used) / member.weight;
  usual_ = std::max(used, usual_ - usual_ / 64);
  turn_.notify_all();
}

void DeviceShare::Acquire(Member& member) {
  std::unique_lock lock(mutex_);
  Await(lock, member);
}

void DeviceShare::Renew(Member& member, Nanos used) {
  std::unique_lock lock(mutex_);
  GiveBack(member, used);
  Await(lock, member);
}

void DeviceShare::Release(Member& member, Nanos used) {
  const std::lock_guard lock(mutex_);
  GiveBack(member, used);
}

int DeviceShare::Waiting(const Member& member) {
  const std::lock_guard lock(mutex_);
  return member.waiting;
}

}  // namespace millrace
