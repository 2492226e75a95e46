// Package collectbench measures what the collector consumes, how fast it reads and how much memory it takes: beside
// what other session stores on DynamoDB do, beside a scan with the SDK alone, and beside the least that the work can
// cost. It has tests and benchmarks only; "make bench-collection" runs them at full size and prints the tables.
package collectbench
