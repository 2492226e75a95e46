// Package faultproxy is a proxy between clients of the AWS SDK and a DynamoDB engine that does to requests and
// responses what networks, gateways and busy tables do.
//
// Unlike dynamotest.Faults, which strike inside the SDK, its faults are made on the wire: the SDK, its HTTP client and
// its timeouts are the real ones, and the client may be another process. A request can be lost, refused, delayed,
// delivered twice, or held and delivered when its sender has long given up; a response can be lost or cut in the
// middle.
//
// Faults are scripted with [Proxy.On] and [Proxy.Hold], or drawn from a seed with [Proxy.Random]. A request meets the
// first rule in the script that matches it and is not used up, else what the seed says, else nothing.
package faultproxy
