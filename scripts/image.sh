#!/usr/bin/env bash
# Builds an image that behaves as amazon/dynamodb-local does, for machines that can reach no registry: the jar that
# scripts/engines.sh installed, on a Java runtime made of this machine's JDK (17 or newer, with jlink). Linux only.
#
# The tag is $DYNAMOTEST_IMAGE, by default scsdynamo-test/dynamodb-local:3.3.1, so that nobody takes it for Amazon's
# image. It is for this machine: the jar's licence forbids publishing it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly image=${DYNAMOTEST_IMAGE:-scsdynamo-test/dynamodb-local:3.3.1}
readonly engine=${DYNAMOTEST_ENGINES:-.engines}/dynamodb-local

say() { echo "image: $*"; }

if docker image inspect "$image" >/dev/null 2>&1; then
	say "$image is there"
	exit
fi
for tool in jlink ldd docker; do
	command -v "$tool" >/dev/null || {
		say "$tool is not there, so $image cannot be built" >&2
		exit 1
	}
done
[[ -f $engine/DynamoDBLocal.jar ]] || {
	say "$engine/DynamoDBLocal.jar is not there; run scripts/engines.sh first" >&2
	exit 1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/rootfs

# The modules that the jar and its libraries use.
modules=java.base,java.desktop,java.instrument,java.logging,java.management,java.naming,java.net.http
modules+=,java.security.jgss,java.security.sasl,java.sql,java.xml,jdk.crypto.ec,jdk.unsupported,jdk.zipfs
jlink --add-modules "$modules" --strip-debug --no-header-files --no-man-pages --output "$root/opt/java"

home=$root/home/dynamodblocal
mkdir -p "$home" "$root/etc" "$root/tmp"
chmod 1777 "$root/tmp"
cp -r "$engine/DynamoDBLocal.jar" "$engine/DynamoDBLocal_lib" "$engine/LICENSE.txt" "$engine/THIRD-PARTY-LICENSES.txt" "$home"
rm -f "$home"/DynamoDBLocal_lib/*.{dll,dylib}

# The shared libraries of the runtime, found where the machine's own loader finds them, and the loader itself.
mapfile -t libraries < <(
	ldd "$root/opt/java/bin/java" "$root/opt/java/lib/server/libjvm.so" "$root"/opt/java/lib/lib{net,nio,zip}.so \
		"$home/DynamoDBLocal_lib/libsqlite4java-linux-$(uname -m | sed 's/x86_64/amd64/').so" |
		awk '$2 == "=>" && $3 ~ "^/" { print $3 } $1 ~ "^/.*/ld-" { print $1 }' | grep -v "^$root" | sort -u
)
for library in "${libraries[@]}"; do
	cp -L --parents "$library" "$root"
done
printf 'root:x:0:0::/root:/sbin/nologin\n' >"$root/etc/passwd"
printf 'hosts: files\n' >"$root/etc/nsswitch.conf"

cat >"$work/Dockerfile" <<'DOCKERFILE'
FROM scratch
COPY rootfs/ /
WORKDIR /home/dynamodblocal
ENV PATH=/opt/java/bin JAVA_HOME=/opt/java
EXPOSE 8000
ENTRYPOINT ["java"]
CMD ["-jar", "DynamoDBLocal.jar", "-inMemory"]
DOCKERFILE
# The classic builder: BuildKit's is a plugin that a plain Docker engine need not have.
if ! DOCKER_BUILDKIT=0 docker build --tag "$image" "$work" >"$work/build.log" 2>&1; then
	tail -n 20 "$work/build.log" >&2
	say "$image cannot be built" >&2
	exit 1
fi
say "$image built"
