// Package dynamotest gives tests a DynamoDB to run on, and the faults that no engine shows by itself.
//
// [Endpoint] finds an engine, starts it where needed, once per test process, and returns its address:
//
//  1. AWS_ENDPOINT_URL_DYNAMODB, whatever answers there: AWS itself, LocalStack, ScyllaDB Alternator, ...
//  2. DynamoDB Local in a container (testcontainers), where a Docker engine answers
//  3. DynamoDB Local as a jar, where it is installed with Java 17 or newer
//  4. dynoxide, where it is installed
//
// Engines 3 and 4 are looked for under .engines beside go.mod; "make engines" puts them there. Where there is none of
// all this, the test is skipped, with one line that says how to get one.
//
// [Client] is an SDK client for that engine, [TableName] a table of the test's own. [Faults] and a [Recorder] are
// installed into a client and see every attempt of the SDK's retryer.
//
// # Environment
//
//	AWS_ENDPOINT_URL_DYNAMODB  the endpoint to use
//	AWS_ACCESS_KEY_ID, ...     the credentials to use; without them, ones that mean nothing
//	AWS_REGION                 the region to use, by default us-east-1
//	DYNAMOTEST_ENGINE          docker, jar or dynoxide: that engine and no other, a failure where it cannot be had
//	DYNAMOTEST_IMAGE           the image of DynamoDB Local, by default amazon/dynamodb-local:3.3.1
//	DYNAMOTEST_ENGINES         where engines are installed, by default .engines beside go.mod
//	REQUIRE_DYNAMODB           1: a test that finds no engine fails instead of being skipped
//
// Testcontainers has variables of its own, such as TESTCONTAINERS_RYUK_DISABLED where its clean-up container cannot be
// pulled; they work as its documentation says. TESTCONTAINERS_HOST_OVERRIDE is set here, unless it is set already,
// where the Docker engine runs inside the container that the tests run in.
//
// # What this package guarantees
//
//   - An engine that it started as a process ends with the test process, also when that is killed.
//   - A table named by TableName is gone after the test.
//   - A fault that was scripted for n attempts strikes the next n attempts, in the order scripted, and no other.
//
// # What it does not guarantee
//
//   - A container is stopped by [Main], or by testcontainers' clean-up container. Where a test process is killed and
//     the latter is disabled, the container stays.
//   - DynamoDB Local listens on all interfaces of the machine, as a jar because it has no option for less, in a
//     container because testcontainers publishes ports that way. It keeps nothing but what tests write, in memory.
//   - Engines differ from AWS: none throttles, leaves items unprocessed or reads stale data.
package dynamotest
