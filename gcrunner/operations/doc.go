// Package operations shows a [gcrunner.Runner] over HTTP: a status page, probes, Prometheus metrics and, on request,
// profiles. It is apart from gcrunner so that programs which only collect do not import Prometheus.
//
//	/              a page for people
//	/livez         200 unless the process should be restarted: [gcrunner.Runner.Alive]
//	/readyz        200 if the process does its work: [gcrunner.Runner.Ready]
//	/metrics       metrics for Prometheus: docs/operations.md lists them
//	/debug/pprof/  profiles, with Options.Profiles
//
// # Guarantees
//
//   - No response holds a key, a token or session data, nor the text of an error, which may name accounts and roles:
//     see Options.Reason.
//   - The page loads nothing from elsewhere and runs no script. Its links are relative: a proxy can serve it under a
//     path.
//   - Websites cannot make browsers read what is served, unless Options.Hosts has their names.
//   - Nothing can be changed: the handler answers GET and HEAD only.
//
// # Non-guarantees
//
//   - There is no authentication. Listen on an address that only operators can reach: the page tells how many sessions
//     exist, and profiles slow the process down.
package operations

//go:generate go test -run ^TestMetricsTable$ -update .
