// Package stream tells from the stream of a table (DynamoDB Streams) what became of its sessions: of all of them, once
// for each write, whoever made it: another process, a collector, DynamoDB's TTL. For what the own process does,
// sessionstore.WithLifecycle is simpler.
//
// The table needs a stream with new and old images, which dynamostore.Table makes where its field Stream is set. A
// function of AWS Lambda gets batches of records, for which [Reader.Handle] is; who reads the stream otherwise fills a
// [Record] for [Reader.Read]. The package makes no call.
package stream
