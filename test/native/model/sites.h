// The memory orders of the product as variables, so that one can be weakened while the checks run.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "batching/intake.h"
#include "batching/borrow_guard.h"
#include "batching/open_count.h"
#include "batching/parker.h"

namespace millrace::model {

struct InboxSites {
  static inline std::memory_order kPush = InboxOrders::kPush;
  static inline std::memory_order kTake = InboxOrders::kTake;
  static inline std::memory_order kEmpty = InboxOrders::kEmpty;
};

struct ParkerSites {
  static inline std::memory_order kPark = ParkerOrders::kPark;
  static inline std::memory_order kCheck = ParkerOrders::kCheck;
  static inline std::memory_order kClaim = ParkerOrders::kClaim;
};

struct IntakeSites {
  static inline std::memory_order kCount = IntakeOrders::kCount;
  static inline std::memory_order kAdmit = IntakeOrders::kAdmit;
  static inline std::memory_order kLeave = IntakeOrders::kLeave;
  static inline std::memory_order kClose = IntakeOrders::kClose;
  static inline std::memory_order kSeeClosed = IntakeOrders::kSeeClosed;
  static inline std::memory_order kSeeCount = IntakeOrders::kSeeCount;
};

struct BorrowGuardSites {
  static inline std::memory_order kEndRead = BorrowGuardOrders::kEndRead;
  static inline std::memory_order kRevoke = BorrowGuardOrders::kRevoke;
};

struct OpenCountSites {
  static inline std::memory_order kLeave = OpenCountOrders::kLeave;
  static inline std::memory_order kSeeEmpty = OpenCountOrders::kSeeEmpty;
};

// What is done at a site decides which orders are weaker there.
enum class Access { kLoad, kStore, kExchange };

struct Site {
  const char* name;
  Access access;
  std::memory_order& order;
};

inline std::vector<Site> Sites() {
  return {
      {"Inbox.kPush", Access::kExchange, InboxSites::kPush},
      {"Inbox.kTake", Access::kExchange, InboxSites::kTake},
      {"Inbox.kEmpty", Access::kLoad, InboxSites::kEmpty},
      {"Parker.kPark", Access::kStore, ParkerSites::kPark},
      {"Parker.kCheck", Access::kLoad, ParkerSites::kCheck},
      {"Parker.kClaim", Access::kExchange, ParkerSites::kClaim},
      {"Intake.kCount", Access::kExchange, IntakeSites::kCount},
      {"Intake.kAdmit", Access::kLoad, IntakeSites::kAdmit},
      {"Intake.kLeave", Access::kExchange, IntakeSites::kLeave},
      {"Intake.kClose", Access::kStore, IntakeSites::kClose},
      {"Intake.kSeeClosed", Access::kLoad, IntakeSites::kSeeClosed},
      {"Intake.kSeeCount", Access::kLoad, IntakeSites::kSeeCount},
      {"BorrowGuard.kEndRead", Access::kExchange, BorrowGuardSites::kEndRead},
      {"BorrowGuard.kRevoke", Access::kExchange, BorrowGuardSites::kRevoke},
      {"OpenCount.kLeave", Access::kExchange, OpenCountSites::kLeave},
      {"OpenCount.kSeeEmpty", Access::kLoad, OpenCountSites::kSeeEmpty},
  };
}

// The orders one step weaker than `order`. What is caught one step down is caught further down too.
inline std::vector<std::memory_order> Weaker(Access access, std::memory_order order) {
  switch (order) {
    case std::memory_order_seq_cst:
      if (access == Access::kLoad) return {std::memory_order_acquire};
      if (access == Access::kStore) return {std::memory_order_release};
      return {std::memory_order_acq_rel};
    case std::memory_order_acq_rel:
      return {std::memory_order_acquire, std::memory_order_release};
    case std::memory_order_acquire:
    case std::memory_order_release:
      return {std::memory_order_relaxed};
    default:
      return {};
  }
}

inline std::string NameOf(std::memory_order order) {
  switch (order) {
    case std::memory_order_relaxed:
      return "relaxed";
    case std::memory_order_acquire:
      return "acquire";
    case std::memory_order_release:
      return "release";
    case std::memory_order_acq_rel:
      return "acq_rel";
    default:
      return "seq_cst";
  }
}

}  // namespace millrace::model
