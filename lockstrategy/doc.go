// Package lockstrategy decides what happens when several requests of one user meet in one session.
//
// A browser sends several requests at once. Each reads the session, changes it and writes it back whole, so without
// further care the last one to write wins: updates are lost, and a session that one request ended is brought back by
// the next. A [Strategy] is the rule that stands against this:
//
//   - [Merge] (the default) lets them run in parallel and merges what they commit, value by value.
//   - [Optimistic] lets them run in parallel and refuses a commit that was overtaken.
//   - [Lease] lets one in at a time.
//   - [None] is what scs does with its other stores: the last commit wins.
//
// This page is the design. docs/locking.md has the pictures, and says how to choose.
//
// # How a strategy works
//
// The store asks the strategy for a [Session] when a request reads one ([Strategy].Load) or makes one (New), and then
// calls Commit, Renew, Touch, Delete and Release on it. Strategies work on [storage.Record] values through a [Backend].
// Only Merge looks into a payload, through [Request].Payload. A strategy of one's own is made of [Base], and says what
// becomes of a commit that was overtaken: see the example.
//
// Correctness rests on the condition that each commit carries, never on a lock or a clock: the driver judges it in the
// same atomic step as the write. A lock only spares requests the work that the condition would refuse. The conditions
// are
//
//	strategy     a loaded session is committed if it is live and    a new one
//	None         (always)                                           (always)
//	Optimistic   its version is the one that was read               if there is none
//	Merge        its version is the one that was merged with        if there is none
//	Lease        its version is the one that was read, and its      if there is none
//	             lease this request's
//
// A version is drawn at random for each commit and never returns, so that a session that was deleted and made anew is
// never taken for the old one.
//
// A renewal ([Session].Renew) writes the session under its new key if there is none, and then puts a tombstone in the
// place of the old one, under the condition of a commit; where that is refused, the new one is removed. A delete of a
// session that was read leaves a tombstone, too, and follows those that it meets: see [ended.Tombstone].
//
// # Invariants
//
// They hold within a request scope, which (*sessionstore.Store).LoadAndSave opens, for every strategy but None, to
// which I1 and I2 do not apply. Tests carry their names, such as TestI5_NextRequestGoesOnAfterACrash; package
// conformance has a suite of them for strategies.
//
//   - I1: No commit succeeds over a version other than the one that its request read, or merged with.
//   - I2: A session that was found and then deleted, expired or collected is never created again by a late commit, and
//     one that was renewed is not brought back under its old key.
//   - I3: A delete takes effect at once, whoever else uses the session or has its lease.
//   - I4: An acknowledged commit is seen by every later strongly consistent read.
//   - I5: A holder that has died delays others by its lease and the clock allowance at most, also if its clock was
//     wrong.
//   - I6: Releasing or renewing a lease never touches a later acquisition: both name the acquisition they are about.
//   - I7: Collection never removes a session that is live, or was written since the collector read it.
//   - I8: A request for an unknown, empty, oversized or malformed token writes nothing, and is a miss. Under Lease this
//     is so where the process does not know the session; one that it knows, and that has ended since, costs one refused
//     write, and then it does not know it any more.
//   - I9: No error and no [Notice] carries a token, a key or session data.
//
// A commit of the values that were read (Touch) moves the expiry alone, and only where nobody has changed the session
// since; a session that has ended stays so.
//
// An error of a commit that matches [storage.ErrOutcomeUnknown] says that it may have been applied; any other says that
// nothing was written. The drivers decide which it is. What was unknown stays so for the request until one of its
// commits succeeds: its later commits are not applied twice, and their errors match ErrOutcomeUnknown, too.
//
// # Turns
//
// Each session has a turn in each process: its requests get it first come, first served. Each session has a lock of its
// own for that, and to stop waiting takes the same time however many others wait. Under Merge a commit takes its turn,
// so that it is merged with the commit before it without a call; it waits for 2 seconds at most, and is then written
// without it. Under Lease a request takes its turn before it is loaded; it waits for LeaseOptions.MaxWait at most, and
// not at all where LeaseOptions.MaxWaiting requests wait. Nothing is remembered of a session that no request uses,
// except which exist: 65,536 hashes at most, for each Lease.
//
// # The states of a lease
//
// A lease is three attributes of the session's own item: the ID of the acquisition, its duration, and its end by the
// holder's clock.
//
//	free ──acquire──▶ held ──commit, touch or release──▶ free
//	                  held ──renew──▶ held, with a later end
//	                  held ──unchanged for duration + allowance──▶ held by the process that has observed it
//	any  ──delete, or expiry of the session──▶ gone
//
// Acquiring is one UpdateItem that sets the lease and returns the item; committing is one PutItem that also frees it,
// or renews it for the next request of the same process. A process that does not know whether a session exists reads it
// first, because a refused write is billed like a write. A request that gets a lease from within its process gets the
// record with it, without a call, if a call that began after the request had come has confirmed it; else with one read.
// A request is told that a session is missing only by a call that began after it had come, and is told what has
// replaced the session where that is known.
//
// A process that has had a session for one lease duration, one request right after the other, pauses before it takes it
// again, so that others get their turn; between processes there is no order. A process that waits for another one tries
// to acquire once and then only reads, eventually consistent, at random intervals that grow from 25 to 50 ms up to 100
// to 200 ms.
//
// A waiting process takes over a lease that it has observed unchanged, by its own monotonic clock, for the lease's
// duration and the clock allowance. The instant at which the lease says that it ends is compared for equality only: a
// renewal changes it. So a clock that is an hour wrong makes nobody wait longer and takes a lease from nobody. A
// process remembers an observation beyond the request that made it, so that waits shorter than a lease add up.
//
// A lease is renewed while its request runs, and a renewal that fails is tried again while the lease lasts. It is not
// renewed once nobody waits for the request's answer ([Request].Done), and is given up when it ends, or when the
// request has had it for LeaseOptions.MaxHold: then it is freed, the request is cancelled and its commit refused.
//
// # Where leases live
//
// Leases live in the session's item and not in one of their own. DynamoDB bills a write by the size of the item, s KB
// rounded up, and on demand a write unit costs as much as five read units (AWS, "Amazon DynamoDB pricing", us-east-1,
// 2025). In read units, a request that changes a session under a lock costs
//
//	in the session's item   acquire and read s writes, commit and release s writes    10s             2 calls
//	in an item of its own   acquire 1 write, read s/4 reads, commit s writes,         10 + 5s + s/4   4 calls
//	                        release 1 write
//	without a lock          read s/4 reads, commit s writes                           5s + s/4        2 calls
//
// Up to a session of 2 KB the lease in the session's item is cheaper, and at any size it is faster, by two calls of
// some milliseconds each; locking and reading are one step, and no lock outlives its session. Above 2 KB an item of its
// own would cost less. Keep sessions small, let requests that only read say so ([Request].Lock), or use Merge, which
// costs what no lock costs.
//
// # Non-guarantees
//
//   - Without a scope, a commit cannot know what its request read, and overwrites; a lease is never taken.
//   - Strategies protect the session, not what a handler does elsewhere. A handler may run although its commit is
//     refused.
//   - With Lease, two handlers can be inside at once after a take-over: the one that lost its lease may not know yet.
//     Its commit is refused.
//   - Requests with different strategies may meet in one session. No update is lost then, but a commit without a lease
//     ends the lease of another request, whose commit is refused with [ErrLockLost].
//   - Two requests that each have one session under a lease and wait for the other's wait for their MaxWait: nest
//     session managers in the same order on all routes.
//   - Conditions hold within one Region. On a DynamoDB global table with multi-Region eventual consistency, the
//     default, each Region judges its own replica, and the last write wins between Regions, unseen: send the requests
//     of one session to one Region. With multi-Region strong consistency, conditions and leases hold across Regions,
//     but there is no TTL, so that expired sessions must be collected (AWS, "How DynamoDB global tables work").
package lockstrategy

// The files, from the ground up; none needs one that comes later:
// errors, values, policies, backend, read, move, write, request, strategy, base, none, optimistic, turn, merge,
// lease_options, memory, heldlease, tenure, acquire, lease_session, lease.
