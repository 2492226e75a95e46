// Package kill holds a test that kills servers, again and again, while people use them.
//
// Four processes, which are the test binary run again, are HTTP servers with one DynamoDB table of sessions. The
// clients of a few sessions send each request to any of them, and each request adds its ID to its session. A killer
// ends one server after the other, at random moments and with no chance to clean up, and starts another one in its
// place. Now and then one is frozen for longer than its leases last, and goes on as if nothing had been.
//
// In the end, what was acknowledged must be there: each ID once, and none twice, whether it was acknowledged or not.
// And nobody may have waited without end for a session whose holder was killed.
package kill
