// Package sealed tells the data of sessions that a secret has sealed from what codecs write, without the secret.
package sealed

// Likely reports whether data begins as sessionstore seals it: with the number of a format, and long enough to be
// sealed. What codecs write begins otherwise: gob with the length of a description, which is more, JSON and MessagePack
// with a bracket.
func Likely(data []byte) bool {
	const highestFormat, least = 4, 32
	return len(data) > least && data[0] >= 1 && data[0] <= highestFormat
}
