// Package webhistories holds tests that let browsers use an application of three processes at random while everything
// goes wrong, and that check that what each request was told is what happened.
//
// A history is eight clients, which share the cookie jars of three users, and which log in, renew, log out, look and
// count, each with any process, while a proxy strikes every fourth call to storage, one process has a wrong clock,
// another one is killed or stopped, and the secret is changed. Then what was held up is delivered, and every token that
// any response has set is tried.
//
// What must hold is in the type history: no acknowledged write is lost or doubled, nothing is stored that was refused,
// no session lives that was ended, there is one token for a session, no dead token is sent again, and nobody tells a
// token.
//
// The same seed makes the same requests meet the same faults; when they meet is up to the machine. Environment:
//
//	WEBHISTORIES       how many histories; by default 60
//	WEBHISTORIES_SEED  the first seed; by default 1
package webhistories
