// Package webapp is a small web application on a store under test, for tests that look at sessions as browsers do: over
// HTTP, with cookies.
//
// [New] makes the application: net/http, scs, and a store as a [Config] says. A test serves it in its own process,
// where it can hold handlers with [App.Gate] and move the store's clock with [App.SetSkew]; or in processes of their
// own, which [Start] makes of the test binary, and which can be killed and stopped.
//
// Each session has a lineage, which names its first request and stays through renewals, and counters: a request that
// increments one also leaves its own ID, so that a test can tell what was stored once, twice or never.
package webapp
