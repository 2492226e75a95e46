// Package keys is the list of everything that can be set: names, kinds, defaults, bounds and documentation, and how the
// text of a value is read and written. Package config loads settings by it, and the command shows, completes and writes
// them by it; docs/configuration.md is made from it.
package keys
