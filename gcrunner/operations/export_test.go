package operations

// Metrics are what docs/operations.md lists.
var Metrics = metrics
