// Package admin is a page on which support ends the sessions of a user; it does no authentication of its own: whoever
// reaches it can log anybody out, so put it behind what your application has for that.
//
//	page, err := admin.New(store, "user")
//	mux.Handle("/admin/sessions/", onlyAdmins(http.StripPrefix("/admin/sessions", page)))
//
// One types the name of an owner (see [sessionstore.WithOwner]), sees their live sessions with what
// [sessionstore.WithOwnerDetails] tells of them, and ends one or all. Who asks for application/json gets the same as
// JSON. docs/owners.md has a table of the requests.
//
// # Guarantees
//
//   - No response has a token, a storage key or session data. What is shown of a session lets nobody in.
//   - Nothing but a POST changes anything, and none that a website of another origin makes a browser send.
//   - The page loads nothing from elsewhere, runs no script, is in no frame, and is kept in no cache. Its links are
//     relative: it can be served under any path that ends with a slash.
//   - No response has the text of an error of the storage. It is logged, by [log/slog.Default].
//
// # Non-guarantees
//
//   - Names of owners are in the addresses of pages, and so in the logs of proxies that keep them.
//   - Who has ended what is not recorded. A middleware around the handler can do so: the form values index, owner and
//     session say what a POST is about.
package admin
