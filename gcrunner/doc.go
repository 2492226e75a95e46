// Package gcrunner deletes sessions that nobody needs any more: those that have expired, and, by rule, those that are too
// old or were not used for too long. DynamoDB's TTL comes days late, and knows nothing but expiry.
//
// A [Collector] looks once per [Collector.Run] at all sessions of a driver, or through an index at those that have expired (see
// [Source]), a page at a time, and deletes those to which one of its [Rules] applies. What a run may consume is bounded by [WithBudget], how much it does by [WithLimits]; a run that stops
// early says where a next one goes on. An [Election] lets one of several processes collect.
//
// # Guarantees
//
//   - Without a rule nothing is deleted: [NewCollector] returns [ErrNoRule].
//   - A session is deleted only if it still is what was read: the version, the expiry and the lease are part of the condition
//     of each delete. One that was committed, extended or leased meanwhile is left alone, and counted. Of what an index has
//     named, nothing was read but the key: there the condition is that the session is expired, and that nobody has a lease.
//   - A session that a request has under a lease is left alone until the lease was seen unchanged for its duration and a tenth,
//     by the clock of the collector's process: what other clocks say does not matter.
//   - Only the driver's own records are looked at. On a shared table those are the ones inside its key prefix. Of what cannot
//     be read, only ghosts are deleted: leases without a session, that can be nobody else's.
//   - After an error that nobody knows, nothing more is deleted. Throttling and short outages are waited for, but not where
//     nothing at all is accepted.
//   - Before anything is deleted, the position was saved: a checkpoint that cannot be written is found out then.
//   - A limit of duration is when a run has ended, save for saving its position.
//   - With a budget, operations are spread evenly, and no second consumes more than 110 % of it, save by items that each cost
//     more than a twentieth of it. Costs are those that the service reports.
//   - A position never moves past a page whose deletes are not done. Whatever happens, what was left is found by the next run.
//   - Memory does not grow with the number of sessions.
//   - Two elected processes do not collect at the same time, as long as their clocks run at about the same speed; if they do,
//     as after a suspended machine has woken up, each delete is still safe.
//
// # What is not guaranteed
//
//   - Expiry is judged by the clock of the collector. One that is ahead by an hour takes sessions for expired an hour early,
//     unless Rules.Grace covers it.
//   - A request that found its session just before that was collected by MaxAge or MaxStale cannot commit it any more.
//   - A session that expires behind the position of a run is found by the next one.
//   - A scan reads every item of the table, whatever the rules, and those of others where the table is shared: reading is
//     billed by what is looked at.
//   - An index is coarse and may be behind: what has expired within the last hour is left to a later run.
//   - The cost of a delete that ends in a conflict is not reported by DynamoDB. The budget takes it for that of a delete, and
//     the driver estimates it.
//
// # Rights
//
// On DynamoDB a collector needs dynamodb:DeleteItem, and Scan on the table or Query on its index; GetItem for what
// became of a delete whose response was lost; and GetItem, PutItem and UpdateItem on records of its own, for an
// election, a checkpoint in the table and [Runner.Ready]. Over the driver that WithoutData of dynamostore returns, it
// needs no right to read the data of sessions, but for ghosts.
package gcrunner
