// Package strategytest tests whether a lock strategy keeps the invariants of package lockstrategy.
//
//	func TestStrategy(t *testing.T) {
//		strategytest.Run(t, func(*testing.T) lockstrategy.Strategy { return mystrategy.New() })
//	}
//
// Run it with the race detector. For scs stores there is package conformance, for drivers package drivertest.
package strategytest
