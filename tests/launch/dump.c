/*
 * The entrypoint of the launch tests: prints as one JSON object everything a program is given at its
 * start. Built with -static, so that it runs in any root.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;

static void string(const char *text) {
  putchar('"');
  for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
    if (*c == '"' || *c == '\\') printf("\\%c", *c);
    else if (*c < 0x20) printf("\\u%04x", *c);
    else putchar(*c);
  }
  putchar('"');
}

static void strings(const char *name, char **list) {
  printf(",\"%s\":[", name);
  for (int i = 0; list[i]; i++) {
    if (i) putchar(',');
    string(list[i]);
  }
  putchar(']');
}

static void status(void) {
  static const char *wanted[] = {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs",
                                 "SigBlk", "SigIgn", "SigCgt", "Threads", "PPid"};
  FILE *file = fopen("/proc/self/status", "r");
  char line[4096];
  while (file && fgets(line, sizeof line, file))
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
      size_t length = strlen(wanted[i]);
      char value[64];
      if (!strncmp(line, wanted[i], length) && sscanf(line + length, ":\t%63s", value) == 1)
        printf(",\"%s\":\"%s\"", wanted[i], value);
    }
  if (file) fclose(file);
}

static void descriptors(void) {
  /* Asked one by one: listing /proc/self/fd would add its own. */
  printf(",\"descriptors\":[");
  for (int fd = 0, any = 0; fd < 4096; fd++)
    if (fcntl(fd, F_GETFD) >= 0) printf("%s%d", any++ ? "," : "", fd);
  putchar(']');
}

static void dispositions(void) {
  printf(",\"notDefault\":[");
  for (int signal = 1, any = 0; signal <= 64; signal++) {
    unsigned long action[4] = {0};
    if (!syscall(SYS_rt_sigaction, signal, NULL, action, 8) && action[0])
      printf("%s%d", any++ ? "," : "", signal);
  }
  putchar(']');
}

static void limit(const char *name, int resource) {
  struct rlimit limit;
  getrlimit(resource, &limit);
  printf(",\"%s\":[\"%lu\",\"%lu\"]", name, limit.rlim_cur, limit.rlim_max);
}

int main(int argc, char **argv) {
  uid_t ruid, euid, suid;
  gid_t rgid, egid, sgid, groups[256];
  char cwd[4096] = "?", exe[4096] = "?";
  (void)argc;
  getresuid(&ruid, &euid, &suid);
  getresgid(&rgid, &egid, &sgid);
  if (!getcwd(cwd, sizeof cwd)) cwd[0] = 0;
  ssize_t length = readlink("/proc/self/exe", exe, sizeof exe - 1);
  if (length >= 0) exe[length] = 0;
  printf("{\"pid\":%d", getpid());
  strings("argv", argv);
  strings("env", environ);
  printf(",\"cwd\":");
  string(cwd);
  printf(",\"exe\":");
  string(exe);
  printf(",\"uid\":[%u,%u,%u],\"gid\":[%u,%u,%u],\"groups\":[", ruid, euid, suid, rgid, egid, sgid);
  int count = getgroups(256, groups);
  for (int i = 0; i < count; i++) printf("%s%u", i ? "," : "", groups[i]);
  mode_t mask = umask(0);
  printf("],\"umask\":\"%04o\",\"securebits\":%d,\"dumpable\":%d", mask, prctl(PR_GET_SECUREBITS),
         prctl(PR_GET_DUMPABLE));
  status();
  descriptors();
  dispositions();
  printf(",\"scheduling\":%d", sched_getscheduler(0));
  limit("nofile", RLIMIT_NOFILE);
  limit("core", RLIMIT_CORE);
  printf("}\n");
  fflush(stdout);
  /* STAY: remains, so that it can be looked at from outside. */
  if (getenv("STAY")) pause();
  return 0;
}
