// Package drivertest tests whether a driver keeps the contract of package storage.
//
//	func TestDriver(t *testing.T) {
//		drivertest.Run(t, func(t *testing.T) storage.Driver {
//			driver, err := mydriver.Open(t.TempDir())
//			if err != nil {
//				t.Fatal(err)
//			}
//			t.Cleanup(func() { _ = driver.Close() })
//			return driver
//		}, drivertest.Options{TooLarge: 400<<10 + 1})
//	}
//
// Run it with the race detector. For scs stores there is package conformance, for lock strategies package strategytest.
package drivertest
