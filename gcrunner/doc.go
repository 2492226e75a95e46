// Package gcrunner deletes sessions that are no longer needed: expired ones and, by rule, those that are too old or
// have not been used for too long. DynamoDB's TTL is days late, and knows nothing but expiry.
//
// Each [Collector.Run] reads all sessions of a driver, or an index of expired ones (see [Source]), a page at a time,
// and deletes the sessions to which one of the collector's [Rules] applies. A [Budget] bounds the capacity that a run
// consumes, [Limits] how much it does; a run that stops early says where the next one resumes. A [Runner] runs a
// collector by a [Schedule], and an [Election] lets one of several processes collect.
//
// # Guarantees
//
//   - Without a rule nothing is deleted: [NewCollector] returns [ErrNoRule].
//   - A session is deleted only if it still is what was read: its version, expiry and lease are part of the condition
//     of each delete. A session that was committed, extended or leased meanwhile is left alone, and counted. An index
//     tells nothing but keys; there the condition is that the session has expired and that there is no lease on it.
//   - A session under a lease is left alone until the lease has been seen unchanged for its duration and a tenth, by
//     the clock of the collector's process. Other clocks do not matter.
//   - The collector looks at the driver's own records only: on a shared table, at those inside its key prefix. Records
//     that cannot be read are left alone.
//   - After an unknown error nothing more is deleted. A run waits for throttling and short outages to pass, unless
//     nothing at all is accepted.
//   - The position is saved before the first delete, so that a checkpoint that cannot be written is found out in time.
//   - A run ends within its limit of duration; only saving its position may come later.
//   - With a budget, operations are spread evenly, and no second consumes more than 110 % of it, unless single items
//     cost more than a twentieth of it. Costs are those that the service reports.
//   - A position never moves past a page whose deletes are not done. Whatever happens, the next run finds what was
//     left.
//   - Memory does not grow with the number of sessions.
//   - Two elected processes do not collect at the same time, as long as their clocks run at about the same speed. If
//     they do, as after a suspended machine has woken up, each delete is still safe.
//
// # Non-guarantees
//
//   - Expiry is judged by the collector's clock. One that is an hour ahead takes sessions for expired an hour early,
//     unless Rules.Grace covers it.
//   - A request that has read its session just before MaxAge or MaxStale collects it can no longer commit it.
//   - The next run finds sessions that expire behind the position of a run.
//   - A scan reads every item of the table, whatever the rules, and items of others where the table is shared. DynamoDB
//     bills what is looked at.
//   - An index is coarse and may lag behind: sessions that have expired within the last hour are left to a later run.
//   - DynamoDB does not report the cost of a delete that ends in a conflict. The budget assumes that of a delete, and
//     the driver estimates it.
//
// # Rights
//
// On DynamoDB a collector needs dynamodb:DeleteItem, and Scan on the table or Query on its index; GetItem for the
// outcome of a delete whose response was lost; and GetItem, PutItem and UpdateItem on records of its own for an
// election, a checkpoint in the table and [Runner.Ready]. Over the driver that WithoutData of dynamostore returns, it
// needs no right to read the data of sessions.
package gcrunner
