// Package owners attacks what sessionstore promises of owners: that the end of all sessions of somebody holds, that a
// limit is kept, that a list is whole, and that nobody else is touched.
//
// Requests of several processes, with the secrets in either order and clocks that differ, run one call to storage at a
// time, in an order that is drawn: all calls of a few requests, or long histories in which calls also fail, are applied
// without an answer, late, or twice, and processes die. All that is stored is looked at after each write. A seed names
// a history: OWNERS_SEED=... runs that one alone.
package owners
