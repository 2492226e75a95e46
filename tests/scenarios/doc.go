// Package scenarios holds tests that each play one story: requests of browsers that meet, at the very moments that
// matter, with each other and with a network that loses, holds, doubles or cuts what the store sends. Each tells what
// must be true of the answers, and of the session afterwards, under every lock strategy.
package scenarios
