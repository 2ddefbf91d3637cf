/* SPDX-License-Identifier: MIT */
#include "model/exec-rules-parts.h"

/*
 * What a program in a box has no business to start. Most of it the box keeps from working anyhow; the rules
 * say so at once, in words, and hold where a policy has opened something. An allow rule of the same
 * words takes one back. "init" is named by its paths: projects have scripts of that name.
 */

#define POWER    "it would end or suspend the whole machine"
#define MODULES  "it changes the kernel that every box runs on"
#define DISKS    "it writes to whole disks"
#define KEXEC    "it boots another kernel"
#define ESCAPE   "it makes or enters another root or namespace, where this policy is not"
#define CARRIER  "it has the service manager start programs outside of the box"
#define ROOTLIKE "a container with these rights is root on the host"
#define SOCKET   "who speaks to this socket is root on the host"

#define POWER_VERBS                                                                                \
	"reboot|poweroff|halt|kexec|soft-reboot|suspend|hibernate|hybrid-sleep|"                   \
	"suspend-then-hibernate|sleep"
#define MOUNT_OF(verb, path) verb " --mount=*,src=" path "|" verb " --mount=*,source=" path
#define CONTAINER_RIGHTS(verb)                                                                     \
	verb " --privileged=|" verb " --pid=host*|" verb " --cap-add=|" verb                       \
	     " --security-opt=|" verb " --device=|" verb " --userns=host*|" verb " /:*|" verb      \
	     " -v/:*|" verb " --volume=/:*|" verb " /var/run/docker.sock*|" verb                   \
	     " /run/docker.sock*|" verb " -v/var/run/docker.sock*|" verb                           \
	     " --volume=/var/run/docker.sock*|" MOUNT_OF(verb, "/") "|" MOUNT_OF(                  \
		     verb, "/var/run/docker.sock") "|" MOUNT_OF(verb, "/run/docker.sock")
#define DISK_DEVICES                                                                               \
	"of=/dev/sd*|of=/dev/hd*|of=/dev/vd*|of=/dev/xvd*|of=/dev/nvme*|of=/dev/mmcblk*|"          \
	"of=/dev/md*|of=/dev/dm-*|of=/dev/loop*|of=/dev/mapper/*|of=/dev/disk/*|of=/dev/mem*|"     \
	"of=/dev/kmem*|of=/dev/port*"

const struct builtin_rule exec_builtin_rules[] = {
	{"reboot poweroff halt shutdown telinit /sbin/init /usr/sbin/init /bin/init", "", POWER},
	{"systemctl", POWER_VERBS "|rescue|emergency|isolate|switch-root|exit", POWER},
	{"loginctl", POWER_VERBS, POWER},
	{"modprobe insmod rmmod", "", MODULES},
	{"mkfs mkfs.bcachefs mkfs.bfs mkfs.btrfs mkfs.cramfs mkfs.exfat mkfs.ext2 mkfs.ext3 "
	 "mkfs.ext4 mkfs.f2fs mkfs.fat mkfs.jfs mkfs.minix mkfs.msdos mkfs.ntfs mkfs.reiserfs "
	 "mkfs.vfat mkfs.xfs mke2fs mkdosfs mkntfs mkswap swapon swapoff",
		"", DISKS},
	{"fdisk sfdisk cfdisk gdisk sgdisk cgdisk parted wipefs blkdiscard", "", DISKS},
	{"dd", DISK_DEVICES, DISKS},
	{"kexec", "", KEXEC},
	{"chroot unshare nsenter pivot_root switch_root systemd-nspawn", "", ESCAPE},
	{"systemd-run machinectl", "", CARRIER},
	{"docker podman nerdctl",
		CONTAINER_RIGHTS("run") "|" CONTAINER_RIGHTS("create") "|" CONTAINER_RIGHTS(
			"container run") "|" CONTAINER_RIGHTS("container create"),
		ROOTLIKE},
	{"docker podman nerdctl", "exec --privileged=|container exec --privileged=", ROOTLIKE},
	{"curl",
		"/var/run/docker.sock*|/run/docker.sock*|--unix-socket=/var/run/docker.sock*|"
		"--unix-socket=/run/docker.sock*",
		SOCKET},
	{0},
};
