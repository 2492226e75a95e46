// Package storage is the contract between the session store and the places where sessions are kept.
//
// It is for authors of drivers: applications need none of it but the errors, which package sessionstore names too.
//
// A [Driver] keeps one [Record] per key. Everything that can go wrong between two requests of one user is decided here,
// by the [Condition] that a write carries: the driver must judge the condition and apply the write as one atomic step.
//
// Package storage/memory is the reference driver. Where this text and that code seem to differ, the text is right and
// the code has a bug.
//
// # What a driver guarantees
//
//   - A write that returned nil is seen by every strongly consistent read that starts afterwards, also after a crash.
//   - A write whose condition does not hold changes nothing and returns a [*ConflictError] with the record that stands
//     in the way, or with nil where there is none.
//   - An error of a write either matches [ErrOutcomeUnknown], or nothing was written and this write never will be.
//     Unknown is what cannot be found out: a request that got no answer may still arrive. What is throttled, denied,
//     invalid or too large, a context that ended before anything was sent, a full disk, a closed driver: all that is
//     known. Only an Acquire of a record that cannot be read may leave its lease there.
//   - A write that was applied although its response was lost is success, and not taken for a conflict: the record it
//     finds is of the version it wrote, or descends from it ([Record.Descends]).
//   - A driver returns expired records as they are. It never judges expiry on its own, only where a condition or a
//     caller names the instant. Removing records whose expiry has passed is allowed at any time.
//   - Records handed in and out share no memory with the driver.
//   - All methods may be called by many goroutines at once.
//   - Errors match the context's error where the context ended, and never contain a key or a record's data: keys are
//     session tokens unless the store has a secret.
//
// # What a driver does not guarantee
//
//   - Two writes are not ordered by their clocks, only by their conditions.
//   - A scan is not a snapshot. A record that is there, unchanged, during the whole scan is returned exactly once; one
//     that is written or deleted meanwhile may be returned in either state, or not at all.
package storage
