// Package histories holds tests that record what several processes on one DynamoDB table were told, while requests and
// responses are lost, and that check that there is an order in which it makes sense.
//
// Four processes, which are the test binary run again, each with a few requests at a time, find, commit, create and
// delete sessions they share. Faults strike the attempts below the SDK's retryer. What each was told, and between which
// instants, is a history; the checker porcupine looks for an order of all operations in which each takes effect at one
// instant between its beginning and its end, as a session does that is a plain value behind a lock: see the model. What
// became of an operation whose outcome is not known may be either, at any later time.
//
// That the checker finds what is wrong is a test, too: it is given stores that lose updates, and that bring back what
// was deleted.
//
// The times of all processes are taken from the one clock of the machine. Should somebody set it while the test runs, a
// good history may look bad.
package histories
