// Package schedules runs requests of one session in processes that have two secrets in either order, one call to
// storage at a time, in an order that is drawn. Whatever the order: a logout that was acknowledged holds, no request
// misses the session, and no acknowledged write is lost. A seed names an order, so that what fails once fails again.
package schedules
