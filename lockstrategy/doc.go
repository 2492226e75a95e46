// Package lockstrategy decides what happens when several requests of one user meet in one session.
//
// A browser sends several requests at once. Each reads the session, changes it and writes it back whole, so without
// further care the last one to write wins: updates are lost, and a session that one request ended is brought back by
// the next. A [Strategy] is the rule that stands against this:
//
//   - [Optimistic] (the default) refuses the commit of a request whose session was changed or ended since it read it.
//   - [None] is what scs does with its other stores: the last commit wins.
//
// Strategies work on [storage.Record] values through a [Backend]; what is in a payload they do not know. Correctness
// rests on the condition that each commit carries, never on a lock or a clock.
//
// # Guarantees
//
// They hold within a request scope, which (*sessionstore.Store).LoadAndSave opens, for every strategy but None:
//
//   - No commit succeeds over a version other than the one that its request read.
//   - A session that was found and then deleted, expired or collected is never created again by a late commit.
//   - A commit of the values that were read changes nothing but the expiry, and that only where nobody has changed or ended
//     the session meanwhile; then it is no error either.
//   - A delete takes effect at once, whoever else uses the session.
//
// # Non-guarantees
//
//   - Without a scope, a commit cannot know what its request read, and overwrites.
//   - Conditions hold within one Region. On a DynamoDB global table of the default, eventually consistent kind, each
//     Region judges its own replica, and the last write wins between Regions: send the requests of one session to one
//     Region.
package lockstrategy
