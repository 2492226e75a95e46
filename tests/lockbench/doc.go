// Package lockbench measures what the lock strategies keep and cost when requests meet in one session, against the
// algorithm that DynamoDB session stores with locks are known for. It has tests and benchmarks only; "make bench-locks"
// prints the tables.
package lockbench
