// Package operations is what people and their tools see of a [gcrunner.Runner] over HTTP: a status page, probes, Prometheus
// metrics and, on request, profiles. It is apart from gcrunner so that whoever collects in a program of their own need not
// have Prometheus.
//
//	/              a page for people
//	/livez         200 unless the process should be started anew: [gcrunner.Runner.Alive]
//	/readyz        200 if the process does its work: [gcrunner.Runner.Ready]
//	/metrics       metrics for Prometheus: [Metrics]
//	/debug/pprof/  profiles, with [WithProfiles]
//
// # Guarantees
//
//   - Nothing that is served holds a key, a token or session data. Reasons are error texts, which hold none either.
//   - The page loads nothing from elsewhere and runs no script.
//   - Nothing can be changed: there are no requests but GET and HEAD.
//
// # Non-guarantees
//
//   - There is no authentication. Listen where only those can connect who may know how many sessions there are, and
//     who may take profiles where they are switched on.
package operations

//go:generate go test -run ^TestMetricsTable$ -update .
