// Package scs runs the tests of scs itself with our store in place of its memstore: with each lock strategy, with a
// secret and without, in scs's middleware and in ours. The tests are taken from the module that go.mod names; none of
// it is kept here.
package scs
