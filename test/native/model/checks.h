// Small programs over the lock-free algorithms of the product, and what must hold of each.
#pragma once

#include <cstddef>

#include "model/sites.h"

#include "model/relacy.h"

namespace millrace::model {

struct Node {
  Plain<Node*> next{nullptr};
  // Written before the node is handed over, read after it is taken.
  Plain<int> payload{0};
  // The check's own books.
  size_t producer = 0;
  size_t number = 0;
  int taken = 0;
};

using List = Inbox<Node, RelacyAtomics, InboxSites>;
using Bed = Parker<RelacyAtomics, RelacyFutex, ParkerSites>;
using Door = Intake<Node, RelacyAtomics, IntakeSites, List>;
using Count = OpenCount<RelacyAtomics, OpenCountSites>;
using Lent = BorrowGuard<RelacyAtomics, BorrowGuardSites>;

inline constexpr size_t kEach = 2;  // nodes of each producer

template <size_t producers>
struct Nodes {
  Node all[producers][kEach];
  size_t taken = 0;

  Nodes() {
    for (size_t p = 0; p < producers; ++p) {
      for (size_t i = 0; i < kEach; ++i) {
        all[p][i].producer = p;
        all[p][i].number = i;
      }
    }
  }

  static int PayloadOf(const Node& node) {
    return static_cast<int>(100 + node.producer * 10 + node.number);
  }

  // Called by the thread that has taken `node`.
  void Take(Node& node) {
    Require(++node.taken == 1, "a node was taken twice");
    Require(node.payload.Read() == PayloadOf(node), "a node came without what was written to it");
    ++taken;
  }

  void TakeChain(Node* node) {
    while (node != nullptr) {
      Node* const following = node->next;
      Take(*node);
      node = following;
    }
  }

  bool AllTaken() const { return taken == producers * kEach; }
};

// Producers push, consumers take: nothing is lost or taken twice, what a producer wrote to a node
// before it pushed it is seen by whoever takes it, a consumer sees each producer's nodes in order,
// and exactly one push finds the list empty for each take that does not.
template <size_t producers, size_t consumers>
struct Exchange : rl::test_suite<Exchange<producers, consumers>, producers + consumers> {
  List list;
  Nodes<producers> nodes;
  int found_empty = 0;
  int takes = 0;

  void thread(unsigned index) {
    if (index < producers) {
      Produce(nodes.all[index], index == 0);
    } else {
      Consume();
    }
  }

  void Produce(Node (&own)[kEach], bool as_a_chain) {
    for (Node& node : own) node.payload = nodes.PayloadOf(node);
    if (as_a_chain) {
      own[1].next = &own[0];
      found_empty += list.Push(&own[1], &own[0]) ? 1 : 0;
      return;
    }
    for (Node& node : own) found_empty += list.Push(&node, &node) ? 1 : 0;
  }

  void Consume() {
    size_t next[producers] = {};
    while (!nodes.AllTaken()) {
      Node* node = list.TakeAll();
      if (node == nullptr) {
        Yield();
        continue;
      }
      ++takes;
      while (node != nullptr) {
        Node* const following = node->next;
        Require(node->number >= next[node->producer], "a producer's nodes came out of order");
        next[node->producer] = node->number + 1;
        nodes.Take(*node);
        node = following;
      }
    }
  }

  void after() {
    Require(nodes.AllTaken(), "a node was lost");
    Require(list.Empty(), "the list is not empty");
    Require(found_empty == takes, "a take without a push that found the list empty");
  }
};

// Producers push and then wake, the consumer takes or sleeps: no wake-up is lost (which would end
// with everybody asleep, a deadlock). `alarm`: the consumer sets a deadline as well, as a worker does
// that holds a batch back.
template <size_t producers, bool alarm>
struct Sleep : rl::test_suite<Sleep<producers, alarm>, producers + 1> {
  List list;
  Bed bed;
  Nodes<producers> nodes;

  void thread(unsigned index) {
    if (index < producers) {
      for (Node& node : nodes.all[index]) {
        node.payload = nodes.PayloadOf(node);
        list.Push(&node, &node);
        bed.Unpark();
      }
      return;
    }
    for (;;) {
      nodes.TakeChain(list.TakeAll());
      if (nodes.AllTaken()) return;
      bed.Park([this] { return !list.Empty(); }, alarm && nodes.taken == 0 ? 1 : kNever);
    }
  }

  void after() { Require(nodes.AllTaken(), "a node was lost"); }
};

// As the batcher hands responses to a JavaScript thread: only the push that finds the list empty calls
// the thread, and one call empties the whole list.
template <size_t producers>
struct Completion : rl::test_suite<Completion<producers>, producers + 1> {
  List finished;
  Nodes<producers> nodes;
  Mutex queue;  // the event loop's
  Plain<int> calls{0};

  void thread(unsigned index) {
    if (index < producers) {
      for (Node& node : nodes.all[index]) {
        node.payload = nodes.PayloadOf(node);
        if (finished.Push(&node, &node)) AddCalls(1);
      }
      return;
    }
    while (!nodes.AllTaken()) {
      if (AddCalls(0) == 0) {
        Yield();
        continue;
      }
      AddCalls(-1);
      nodes.TakeChain(finished.TakeAll());
    }
  }

  int AddCalls(int more) {
    queue.lock();
    const int now = calls.Read() + more;
    calls = now;
    queue.unlock();
    return now;
  }

  void after() { Require(nodes.AllTaken(), "a node was lost"); }
};

// As a JavaScript thread ends while workers still finish its requests (addon/js_thread.cc): a push that finds
// the list empty calls the thread or, once it has let go, reaps the list in its place. Every record comes
// back, each once, and the last of them lets the thread's end be freed.
template <size_t producers>
struct Detach : rl::test_suite<Detach<producers>, producers + 1> {
  List finished;
  Nodes<producers> nodes;
  Mutex mutex;
  Count callers;
  Plain<bool> attached{true};  // what callers use while they are inside
  // The thread's, and guarded by mutex once it has let go.
  Plain<size_t> in_flight{producers * kEach};
  bool ended = false;

  void thread(unsigned index) {
    if (index == producers) {
      Return(finished.TakeAll());  // a drain
      mutex.lock();
      callers.Close();
      while (!callers.Empty()) Yield();
      attached = false;
      Reap();
      mutex.unlock();
      return;
    }
    for (Node& node : nodes.all[index]) {
      node.payload = nodes.PayloadOf(node);
      if (finished.Push(&node, &node)) Wake();
    }
  }

  void Wake() {
    if (callers.Enter()) {
      Require(attached.Read(), "the thread was called after it had let go");
      callers.Leave();
      return;
    }
    mutex.lock();
    Reap();
    mutex.unlock();
  }

  void Reap() {
    Return(finished.TakeAll());
    ended = in_flight == 0;
  }

  void Return(Node* chain) {
    const size_t before = nodes.taken;
    nodes.TakeChain(chain);
    in_flight = in_flight - (nodes.taken - before);
  }

  void after() {
    Require(nodes.AllTaken(), "a record was lost");
    Require(ended, "the end of the thread was not freed");
  }
};

// A worker reads borrowed memory as often as it runs, while the owner takes it back and frees it.
struct Lending : rl::test_suite<Lending, 2> {
  Lent borrow;
  Plain<int> memory{0};

  void before() {
    memory = 1;
    borrow.Reset(true);
  }

  void thread(unsigned index) {
    if (index == 0) {
      while (!borrow.TryRevoke()) Yield();
      memory = 0;
      return;
    }
    for (int run = 0; run < 2; ++run) {
      if (!borrow.BeginRead()) return;
      Require(memory.Read() == 1, "memory was read that is gone");
      borrow.EndRead();
    }
  }

  void after() { Require(!borrow.BeginRead(), "the borrow was not revoked"); }
};

// Threads use something as often as they are let in, until another closes it and takes it away.
struct Closing : rl::test_suite<Closing, 2> {
  Count count;
  Plain<int> memory{1};

  void thread(unsigned index) {
    if (index == 0) {
      count.Close();
      while (!count.Empty()) Yield();
      memory = 0;
      return;
    }
    for (int use = 0; use < 2; ++use) {
      if (!count.Enter()) return;
      Require(memory.Read() == 1, "something was used that is gone");
      count.Leave();
    }
  }

  void after() { Require(!count.Enter() && count.Empty(), "it was not closed"); }
};

// The batcher without its policy: submitters, workers that take one request at a time and leave the
// rest to each other, and somebody who closes it.
template <size_t submitters, size_t workers, bool closer>
struct Service
    : rl::test_suite<Service<submitters, workers, closer>, submitters + workers + (closer ? 1 : 0)> {
  Door door;
  Bed beds[workers];
  Mutex forming;
  Plain<Node*> pending{nullptr};  // guarded by forming
  Nodes<submitters> nodes;
  size_t accepted = 0;
  size_t refused = 0;

  void thread(unsigned index) {
    if (index < submitters) {
      for (Node& node : nodes.all[index]) Submit(node);
      if (!closer && AllOffered()) CloseWhenServed();
    } else if (index < submitters + workers) {
      Loop(beds[index - submitters]);
    } else {
      Close();
    }
  }

  bool AllOffered() const { return accepted + refused == submitters * kEach; }

  void Submit(Node& node) {
    node.payload = nodes.PayloadOf(node);
    // Room for all but one.
    if (door.Reserve(submitters * kEach - 1) != Door::Entry::kOpen) {
      ++refused;
      return;
    }
    door.Push(&node);
    ++accepted;
    Wake();
  }

  void Wake() {
    for (Bed& bed : beds) {
      if (bed.Unpark()) return;
    }
  }

  void Close() {
    door.Close();
    for (Bed& bed : beds) bed.Unpark();
  }

  // Not before everything was served: closing wakes every worker and would make good a lost wake-up.
  void CloseWhenServed() {
    while (nodes.taken != accepted) Yield();
    Close();
  }

  void Loop(Bed& bed) {
    for (;;) {
      Node* const node = Form();
      if (node != nullptr) {
        nodes.Take(*node);
        continue;
      }
      if (door.Drained()) return;
      bed.Park([this] { return door.HasNews() || door.Occupied(); }, kNever);
    }
  }

  Node* Form() {
    forming.lock();
    Node* last = nullptr;
    for (Node* node = pending; node != nullptr; node = node->next) last = node;
    Node* const fresh = door.TakeAll();
    if (last == nullptr) {
      pending = fresh;
    } else if (fresh != nullptr) {
      last->next = fresh;
    }
    Node* const node = pending;
    if (node != nullptr) {
      pending = node->next.Read();
      door.Leave(1);
    }
    const bool more = pending != nullptr;
    forming.unlock();
    if (node != nullptr && more) Wake();
    return node;
  }

  void after() {
    Require(nodes.taken == accepted, "a request was accepted and got no response");
    Require(AllOffered(), "a request was neither accepted nor refused");
    Require(door.Drained(), "the batcher is not drained");
  }
};

}  // namespace millrace::model
