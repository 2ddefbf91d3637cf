/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "model/exec-rules-parts.h"

/*
 * Options between a program and its subcommand. Of one that is not listed here nobody knows whether the
 * next word is its value or the subcommand: then both are considered.
 */
static const struct option_words known_words[] = {
	{"git",
		"-C: -c: --git-dir: --work-tree: --namespace: --config-env: --attr-source: "
		"--super-prefix: --exec-path -v --version -h --help -p --paginate -P "
		"--no-pager --no-replace-objects --no-lazy-fetch --no-optional-locks --no-advice "
		"--bare --html-path --man-path --info-path --literal-pathspecs --glob-pathspecs "
		"--noglob-pathspecs --icase-pathspecs"},
	{"docker nerdctl",
		"-c: --context: --config: -H: --host: -l: --log-level: --tlscacert: --tlscert: "
		"--tlskey: -n: --namespace: -a: --address: --data-root: --snapshotter: -D --debug "
		"--tls --tlsverify -v --version --help -h",
		.cluster = true},
	{"podman",
		"--cgroup-manager: --config: --conmon: -c: --connection: --events-backend: "
		"--hooks-dir: --identity: --imagestore: --log-level: --module: --network-cmd-path: "
		"--network-config-dir: --out: --root: --runroot: --runtime: --runtime-flag: --ssh: "
		"--storage-driver: --storage-opt: --tmpdir: --url: --volumepath: --help -h "
		"--noout -r --remote --syslog --transient-store -v --version",
		.cluster = true},
	{"kubectl",
		"--as: --as-group: --as-uid: --cache-dir: --certificate-authority: "
		"--client-certificate: --client-key: --cluster: --context: --kubeconfig: "
		"--log-flush-frequency: -n: --namespace: --password: --profile: --profile-output: "
		"--request-timeout: -s: --server: --tls-server-name: --token: --user: --username: "
		"-v: --v: --vmodule: --disable-compression --insecure-skip-tls-verify "
		"--match-server-version --warnings-as-errors -h --help",
		.cluster = true},
	{"helm",
		"--burst-limit: --kube-apiserver: --kube-as-group: --kube-as-user: --kube-ca-file: "
		"--kube-context: --kube-tls-server-name: --kube-token: --kubeconfig: -n: "
		"--namespace: --qps: --registry-config: --repository-cache: --repository-config: "
		"--debug --kube-insecure-skip-tls-verify -h --help",
		.cluster = true},
	{"npm pnpm",
		"--prefix: --registry: --userconfig: --globalconfig: --cache: --loglevel: -w: "
		"--workspace: -C: --dir: --filter: -F: --tag: --otp: -g --global -s --silent -q "
		"--quiet -d -dd -ddd --verbose -v --version -h --help -y --yes -r --recursive "
		"--json --no-audit --no-fund --offline --workspaces",
		.abbreviates = true},
	{"yarn",
		"--cwd: --registry: --cache-folder: --modules-folder: --use-yarnrc: -s --silent "
		"-v --version -h --help --verbose --offline --json --non-interactive"},
	{"cargo",
		"-C: -Z: --config: --color: --explain: -V --version --list -v --verbose -vv -q "
		"--quiet --frozen --locked --offline -h --help",
		.cluster = true, .plus = true},
	{"pip pip3",
		"--python: --log: --proxy: --retries: --timeout: --exists-action: --trusted-host: "
		"--cert: --client-cert: --cache-dir: --use-feature: --use-deprecated: "
		"--keyring-provider: -h --help --debug --isolated --require-virtualenv -v "
		"--verbose -V --version -q --quiet --no-input --no-cache-dir "
		"--disable-pip-version-check --no-color --no-python-version-warning",
		.cluster = true},
	{"apt apt-get apt-cache",
		"-o: --option: -c: --config-file: -t: --target-release: --default-release: -a: "
		"--host-architecture: -P: --build-profiles: -q --quiet -qq -s --simulate --dry-run "
		"-y --yes --assume-yes --assume-no -d --download-only -f --fix-broken -m -u -V "
		"--show-progress --no-install-recommends --install-recommends --reinstall "
		"--allow-unauthenticated --purge -h --help -v --version",
		.cluster = true},
	{"dnf yum",
		"-c: --config: -e: --errorlevel: -d: --debuglevel: -R: --randomwait: --enablerepo: "
		"--disablerepo: --repo: --repoid: -x: --exclude: --installroot: --releasever: "
		"--setopt: --forcearch: --comment: -y --assumeyes --assumeno -q --quiet -v "
		"--verbose -b --best -C --cacheonly -h --help --version --nogpgcheck --refresh",
		.cluster = true},
	{"systemctl",
		"-t: --type: --state: -p: --property: -P: -H: --host: -M: --machine: -n: --lines: "
		"-o: --output: --job-mode: -s: --signal: --kill-who: --kill-whom: --kill-value: "
		"--what: --root: --image: --image-policy: --preset-mode: --firmware-setup "
		"--boot-loader-menu: --boot-loader-entry: --reboot-argument: --timestamp: "
		"--drop-in: "
		"--when: --check-inhibitors: --legend: --message: -C: --capsule: -a --all -r "
		"--reverse -l --full -q --quiet -v --verbose -i -f --force -T --show-transaction "
		"--show-types --value --no-wall --no-reload --no-legend --no-pager --no-block "
		"--wait --user --system --global --runtime --now --no-ask-password --dry-run -h "
		"--help --version --failed --fail --recursive --after --before --plain",
		.cluster = true},
	{"gh", "-R: --repo: --hostname: -h --help --version", .cluster = true},
	{"ssh",
		"-B: -b: -c: -D: -E: -e: -F: -I: -i: -J: -L: -l: -m: -O: -o: -P: -p: -Q: -R: -S: "
		"-W: -w: -4 -6 -A -a -C -f -G -g -K -k -M -N -n -q -s -T -t -V -v -X -x -Y -y",
		.cluster = true},
	{"terraform tofu", "-chdir -help -version --help --version -v -h"},
	{"aws",
		"--endpoint-url: --output: --query: --profile: --region: --color: --ca-bundle: "
		"--cli-read-timeout: --cli-connect-timeout: --cli-binary-format: --debug "
		"--no-verify-ssl --no-paginate --version --no-sign-request --no-cli-pager "
		"--cli-auto-prompt --no-cli-auto-prompt"},
	{"hg",
		"-R: --repository: --cwd: --config: --color: --encoding: --encodingmode: --pager: "
		"-y --noninteractive -q --quiet -v --verbose --debug --debugger --traceback --time "
		"--profile --version -h --help --hidden",
		.cluster = true, .abbreviates = true},
	/* What wrappers take before the program that they start. */
	{"env",
		"-u: --unset: -C: --chdir: -S: --split-string: -a: --argv0: --block-signal "
		"--default-signal --ignore-signal -i --ignore-environment -0 --null -v --debug "
		"--list-signal-handling --help --version",
		.cluster = true},
	{"nice", "-n: --adjustment: --help --version", .cluster = true},
	{"ionice", "-c: --class: -n: --classdata: -p: -P: -u: -t --ignore -h --help -V --version",
		.cluster = true},
	{"timeout",
		"-k: --kill-after: -s: --signal: --foreground --preserve-status -f -p -v --verbose "
		"--help --version",
		.cluster = true},
	{"nohup", "--help --version"},
	{"setsid", "-c --ctty -f --fork -w --wait -h --help -V --version", .cluster = true},
	{"stdbuf", "-i: --input: -o: --output: -e: --error: --help --version", .cluster = true},
	{"time",
		"-f: --format: -o: --output: -a --append -p --portability -q --quiet -v --verbose "
		"-V --version -h --help",
		.cluster = true},
	{"xargs",
		"-a: --arg-file: -d: --delimiter: -E: -I: -L: --max-lines -n: --max-args: -P: "
		"--max-procs: -s: --max-chars: --process-slot-var: -0 --null -o --open-tty -p "
		"--interactive -r --no-run-if-empty -t --verbose -x --exit --show-limits -e -i -l "
		"--eof --replace --help --version",
		.cluster = true},
	{"sudo",
		"-C: --close-from: -D: --chdir: -g: --group: -h: --host: -p: --prompt: -R: "
		"--chroot: -r: --role: -T: --command-timeout: -t: --type: -U: --other-user: -u: "
		"--user: -a: -c: -A --askpass -B --bell -b --background -E --preserve-env -e "
		"--edit -H "
		"--set-home -i --login -K -k --reset-timestamp -l --list -N -n --non-interactive "
		"-P "
		"--preserve-groups -S --stdin -s --shell -V --version -v --validate --help",
		.cluster = true},
	{"doas", "-a: -C: -u: -L -n -s", .cluster = true},
	{"chrt",
		"-T: --sched-runtime: -P: --sched-period: -D: --sched-deadline: -b --batch -d "
		"--deadline -f --fifo -i --idle -o --other -r --rr -R --reset-on-fork -a "
		"--all-tasks "
		"-m --max -p --pid -v --verbose -h --help -V --version",
		.cluster = true},
	{"taskset", "-a --all-tasks -p --pid -c --cpu-list -h --help -V --version",
		.cluster = true},
	{"unshare",
		"-S: --setuid: -G: --setgid: -R: --root: -w: --wd: --propagation: --setgroups: "
		"--map-user: --map-group: --map-users: --map-groups: --monotonic: --boottime: "
		"-m --mount -u --uts -i --ipc -n --net -p --pid -U --user -C --cgroup -T --time -f "
		"--fork -r --map-root-user -c --map-current-user --map-auto --mount-proc "
		"--kill-child "
		"--keep-caps -h --help -V --version",
		.cluster = true},
	{"flock",
		"-E: --conflict-exit-code: -w: --wait: --timeout: -e -x --exclusive -F --no-fork "
		"-n --nb --nonblock -o --close -s --shared -u --unlock --verbose -h --help -V "
		"--version",
		.cluster = true},
	{"bash sh dash ash ksh mksh zsh rbash",
		"-o: +o: -O: +O: --rcfile: --init-file: -a -b -e -f -h -i -k -l -m -n -p -r -s -t "
		"-u "
		"-v -x -B -C -E -H -P -T -D -c --login --noprofile --norc --posix --restricted "
		"--verbose --noediting --version --help",
		.cluster = true},
	{"python",
		"-W: -X: --check-hash-based-pycs: -b -B -d -E -h -i -I -O -OO -P -q -s -S -u -v "
		"-V -x --help --version",
		.cluster = true},
	{"perl", "-I: -a -f -l -n -p -s -S -t -T -u -U -v -V -w -W -X -h", .cluster = true},
	{"node nodejs",
		"-r: --require: --import: --loader: --experimental-loader: "
		"--max-old-space-size: -c --check -i --interactive -h --help -v --version "
		"--no-warnings --enable-source-maps --inspect --inspect-brk"},
	{"ruby", "-I: -r: -C: -E: -K: --encoding: -a -c -d -h -l -n -p -s -S -v -w -W -y",
		.cluster = true},
};

static bool in_words(const char *words, const char *word, size_t size, char *ret_mark)
{
	for (const char *p = words; *p;) {
		size_t n = strcspn(p, " ");
		bool mark = n > 1 && p[n - 1] == ':';
		if (n - mark == size && memcmp(p, word, size) == 0) {
			if (ret_mark)
				*ret_mark = mark ? ':' : '\0';
			return true;
		}
		p += n + strspn(p + n, " ");
	}
	return false;
}

const struct option_words *exec_option_words(const char *program)
{
	for (size_t i = 0; i < sizeof known_words / sizeof *known_words; i++)
		if (in_words(known_words[i].programs, program, strlen(program), NULL))
			return &known_words[i];
	return NULL;
}

enum { LETTER_UNKNOWN, LETTER_ALONE, LETTER_TAKES, LETTERS = 256 };

/* Of the options of one letter that begin with @sign. */
static void read_letters(const char *words, char sign, unsigned char ret[LETTERS])
{
	memset(ret, LETTER_UNKNOWN, LETTERS);
	for (const char *p = words; *p;) {
		size_t n = strcspn(p, " ");
		bool mark = n > 1 && p[n - 1] == ':';
		unsigned char *letter = &ret[(unsigned char)p[1]];
		if (n - mark == 2 && p[0] == sign && *letter == LETTER_UNKNOWN)
			*letter = mark ? LETTER_TAKES : LETTER_ALONE;
		p += n + strspn(p + n, " ");
	}
}

/* "-vCx": what its letters take, as getopt(3) reads them. There may be 128 KiB of them. */
static int cluster_takes(const struct option_words *known, const char *word)
{
	unsigned char letters[LETTERS];
	read_letters(known->options, *word, letters);
	for (const char *p = word + 1; *p; p++) {
		int letter = letters[(unsigned char)*p];
		if (letter == LETTER_UNKNOWN)
			return 0;
		if (letter == LETTER_TAKES)
			return p[1] ? 1 : 2;
	}
	return 1;
}

int exec_option_takes(const struct option_words *known, const char *word)
{
	char mark;
	size_t name = strcspn(word, "=");
	if (word[name] && strncmp(word, "--", 2) == 0)
		return 1;
	if (!known)
		return 0;
	if (word[name] && in_words(known->options, word, name, NULL))
		return 1;
	if (in_words(known->options, word, strlen(word), &mark))
		return mark ? 2 : 1;
	if (*word == '-' && word[1] == '-')
		return 0;
	return known->cluster ? cluster_takes(known, word) : 0;
}

static bool is_option(const struct option_words *known, const char *word)
{
	if (*word == '-')
		return word[1] != '\0';
	return *word == '+' && word[1] != '\0' && known && known->plus;
}

static void put_place(struct places *p, size_t place)
{
	if (p->n > 0 && p->v[p->n - 1] >= place)
		return; /* they come in ascending order */
	if (p->n == EXEC_MAX_PLACES)
		p->too_many = true;
	else
		p->v[p->n++] = place;
}

/*
 * Which words can be reached as the next one to be read; of two in a row it has to be remembered whether
 * they are. Each costs a step.
 */
void exec_places(const struct option_words *known, const char *const *args, size_t n_args,
	struct places *ret)
{
	bool here = true, next = false;
	*ret = (struct places){.doubtful = EXEC_NO_DOUBT};
	for (size_t i = 0; i < n_args && (here || next) && !ret->too_many; i++) {
		bool after = false;
		ret->steps++;
		if (here && !is_option(known, args[i])) {
			put_place(ret, i);
		} else if (here && strcmp(args[i], "--") == 0) {
			put_place(ret, i + 1);
		} else if (here) {
			int takes = *args[i] == '+' ? 1 : exec_option_takes(known, args[i]);
			ret->steps += 8 + strlen(args[i]);
			if (takes == 0 && ret->doubtful == EXEC_NO_DOUBT)
				ret->doubtful = i;
			next = next || takes != 2;
			after = takes != 1;
		}
		here = next;
		next = after;
	}
	if (here || next || ret->n == 0)
		put_place(ret, n_args);
}
