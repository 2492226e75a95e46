// Package lockstrategy decides what happens when several requests of one user meet in one session.
//
// A browser sends several requests at once. Each reads the session, changes it and writes it back whole, so without
// further care the last one to write wins: updates are lost, and a session that one request ended is brought back by
// the next. A [Strategy] is the rule that stands against this:
//
//   - [Merge] (the default) lets them run in parallel and merges what they commit, value by value.
//   - [Optimistic] lets them run in parallel and refuses the commit of who was overtaken.
//   - [Lease] lets one in at a time.
//   - [None] is what scs does with its other stores: the last commit wins.
//
// This page is the design. docs/locking.md has the pictures, and says how to choose.
//
// # How a strategy works
//
// The store asks the strategy for a [Session] when a request reads one ([Strategy].Load) or draws a new token (New), and
// then calls Commit, Delete and Release on it. Strategies work on [storage.Record] values through a [Backend]. What is in
// a payload only Merge wants to know, through [Request].Payload. A strategy of one's own is some forty lines: see the
// example.
//
// Correctness rests on the condition that each commit carries, never on a lock or a clock: the driver judges it in the same
// atomic step as the write. A lock only spares requests the work that the condition would refuse. The conditions are
//
//	strategy     a loaded session is committed if it is live and    a new one
//	None         (always)                                           (always)
//	Optimistic   its version is the one that was read               if there is none
//	Merge        its version is the one that was merged with        if there is none
//	Lease        its version is the one that was read, and its      if there is none
//	             lease this request's
//
// A version is drawn at random for each commit and never returns, so that a session that was deleted and made anew is never
// taken for the old one.
//
// # Invariants
//
// They hold within a request scope, which (*sessionstore.Store).LoadAndSave opens, for every strategy but None, to which I1
// and I2 do not apply. Tests carry their names, such as TestI5_NextRequestGoesOnAfterACrash.
//
//   - I1: No commit succeeds over a version other than the one that its request read, or merged with.
//   - I2: A session that was found and then deleted, expired or collected is never created again by a late commit.
//   - I3: A delete takes effect at once, whoever else uses the session or has its lease.
//   - I4: An acknowledged commit is seen by every later strongly consistent read.
//   - I5: A holder that has died delays others by its lease and the clock allowance at most, also if its clock was wrong.
//   - I6: Releasing or renewing a lease never touches a later acquisition: both name the acquisition they are about.
//   - I7: Collection never removes a session that is live, or was written since the collector read it.
//   - I8: A request for an unknown, empty, oversized or malformed token writes nothing, and is a miss.
//   - I9: No error and no [Notice] carries a token, a key or session data.
//
// Besides, a commit of the values that were read ([Toucher]) moves the expiry alone, and that only where nobody has changed
// or ended the session meanwhile; then it is no error either.
//
// # The states of a lease
//
// A lease is three attributes of the session's own item: the ID of the acquisition, its duration, and its end by the
// holder's clock.
//
//	free ──acquire──▶ held ──commit, touch or release──▶ free
//	                  held ──renew──▶ held, with a later end
//	                  held ──seen unchanged for duration + allowance──▶ held by who has seen it so
//	any  ──delete, or expiry of the session──▶ gone
//
// Acquiring is one UpdateItem that sets the lease and returns the item; committing is one PutItem that also frees it, or
// renews it for the next request of the same process. While requests of a process wait for a session, one of them at a time
// asks storage; the others queue behind it, first come, first served. Whoever gets a lease from within its process gets the
// record with it, without a call, if a call that began after the request had come has confirmed it; else with one read. A
// process hands its lease on for one lease duration at most, and pauses then, so that others get their turn; between
// processes there is no order. Who asks storage first tries to acquire and then only reads, eventually consistent, at
// random intervals that grow from 25 to 50 ms up to 100 to 200 ms: a refused write is billed like a write.
//
// A waiting process takes over a lease that it has seen unchanged, by its own monotonic clock, for the lease's duration and
// the clock allowance. The instant at which the lease says that it ends is compared for equality only: a renewal changes
// it. So a clock that is an hour wrong makes nobody wait longer and takes a lease from nobody. What a process has seen it
// remembers beyond the request that saw it, so that waits shorter than a lease add up.
//
// # Where leases live
//
// Leases live in the session's item and not in one of their own. DynamoDB bills a write by the size of the item, s KB
// rounded up, and on demand a write unit costs as much as five read units (AWS, "Amazon DynamoDB pricing", us-east-1, 2025).
// In read units, a request that changes a session under a lock costs
//
//	in the session's item   acquire and read s writes, commit and release s writes    10s             2 calls
//	in an item of its own   acquire 1 write, read s/4 reads, commit s writes,         10 + 5s + s/4   4 calls
//	                        release 1 write
//	without a lock          read s/4 reads, commit s writes                           5s + s/4        2 calls
//
// Up to a session of 2 KB the lease in the session's item is cheaper, and at any size it is faster, by two calls of some
// milliseconds each; locking and reading are one step, and no lock outlives its session. Above 2 KB an item of its own would
// cost less. Keep sessions small, let requests that only read say so ([Request].Lock), or use Merge, which costs what no
// lock costs.
//
// # Non-guarantees
//
//   - Without a scope, a commit cannot know what its request read, and overwrites; a lease is never taken.
//   - Strategies protect the session, not what a handler does elsewhere. A handler may run although its commit is refused.
//   - With Lease, two handlers can be inside at once after a take-over: the one that lost its lease may not know yet. Its
//     commit is refused.
//   - Requests with different strategies may meet in one session. No update is lost then, but a commit without a lease ends
//     the lease of who has one, whose commit is refused with [ErrLockLost].
//   - Conditions hold within one Region. On a DynamoDB global table with multi-Region eventual consistency, the default, each
//     Region judges its own replica, and the last write wins between Regions, unseen: send the requests of one session to
//     one Region. With multi-Region strong consistency, conditions and leases hold across Regions, but there are neither
//     transactions, which a change of the secret needs, nor TTL, so that expired sessions must be collected (AWS, "How
//     DynamoDB global tables work").
package lockstrategy
