// Package judge runs the suite of package conformance on the stores of the scs project, from which the table in
// conformance/README.md is made: scripts/judge.sh says how.
package judge
