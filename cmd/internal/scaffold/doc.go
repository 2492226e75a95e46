// Package scaffold writes configuration files: one with every key and its default, or one made of the settings of the
// Ruby gem aws-sessionstore-dynamodb.
package scaffold
