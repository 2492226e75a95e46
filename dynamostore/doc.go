// Package dynamostore keeps sessions in a DynamoDB table.
//
// [New] returns the store to assign to scs.SessionManager.Store; [Table] says where the sessions are, and creates,
// verifies and deletes the table. Package iac writes policies and templates for it.
//
// # Guarantees
//
//   - Every operation on a session is one call: Find is one GetItem, Commit one PutItem or UpdateItem, Delete one
//     DeleteItem; one UpdateItem acquires a lease and reads the session. A token that cannot be a key costs no call.
//   - Every write states its condition in the same call, and a write whose condition fails learns what is stored
//     without another read. An engine that does not send that, as older emulators and DAX do not, is asked by one
//     consistent read; until an engine has sent it once, it is also asked where nothing is stored.
//   - A write whose response was lost is not reported as a conflict with itself: the SDK repeats it, and the version of
//     the item that stands in the way tells that it is its own, or, by its ancestry, made from it.
//   - What DynamoDB refuses (throttling, rights, validation, an unknown table), what could not be signed or connected,
//     and what a context ended before it was sent, was not written and never will be; no read is needed to know that.
//     Where DynamoDB failed, or its answer was cut, one consistent read decides. Where no answer came, the request may
//     still be on its way: the write is successful if that read finds it, refused if it finds that the condition can
//     never hold again, and else the error matches [storage.ErrOutcomeUnknown].
//   - An error tells which operation failed, on which table, why, and what helps; of an answer it prints the status,
//     the error code and the request's ID, and never its text, which may quote the request.
//   - A session is dead at its exact expiry, whenever DynamoDB deletes the item. TTL only tidies up.
//   - Scans return only items whose key is between the prefix and the suffix of [Table] and has no separator: no
//     sessions of another prefix or suffix, or of none, even one that begins or ends alike ([Key]).
//   - At run time only rights on items are needed. Only the methods of Table make calls on the table itself.
//
// # Non-guarantees
//
//   - A prefix does not make a scan cheaper: DynamoDB reads, and bills, the whole table.
//   - Attributes of an item that are not in [Attributes] may be lost with the next commit.
//   - Conditions hold within one Region: see package lockstrategy.
//   - A request that got no answer may arrive later. Its condition is judged then, and an Always holds always.
//   - An unconditional write that DynamoDB answered with a failure, and that others have overwritten since, is reported
//     as failed although it may have been applied.
//   - If the network doubles an Update and only the second answer arrives, the caller sees a conflict with its own
//     update.
//
// # The item
//
// An item holds the storage key (S), data (B), the instants of creation, last write and expiry (N, Unix seconds with
// decimals), the expiry in whole seconds for TTL (N), and the version (S); once it was overwritten, the ancestry (S),
// which names up to four versions before; with an [ExpiryIndex], its shard (S) and hour (N); and while it is leased,
// the lease: its ID (S), its duration in seconds (N) and its end (N). Without data it has about 170 bytes, with an
// ancestry 50 more, in an index 30, and with a lease 75. They count towards capacity: one write unit for each begun KB.
// An item can have 400 KB, of which what a lease takes is kept free.
package dynamostore
