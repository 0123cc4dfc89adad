/* A clock that runs `factor` times as fast, for a program that does not know of it: loaded by LD_PRELOAD before the C library.

   SOAK_CLOCK names a file with the layout of `struct state`, which all programs of a run map: they agree on the time, and a jump
   of CLOCK_REALTIME (`jump`) is seen by all of them at once. There is no lock and nothing to clean up: a program may be killed or
   forked anywhere. Every function here shadows one of the C library. Waits are turned into waits on the real CLOCK_MONOTONIC,
   rounded up, so that none ends early. Clocks of CPU time stay real. */
#define _GNU_SOURCE
#undef _FORTIFY_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timeb.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>

_Static_assert(sizeof(long) == 8, "a 64-bit machine");

/* Times in nanoseconds; factor in millionths. mono, real, boot, raw: what the real clocks showed when all were read at the start. */
struct state { int64_t magic, factor, mono, real, boot, raw, jump; };
#define MAGIC 0x31303063616f73LL
#define SECOND 1000000000LL
#define MILLION 1000000

static const struct state none = { MAGIC, MILLION, 0, 0, 0, 0, 0 };
static const struct state *clocks;

#define REAL(name) ({ static __typeof__(&name) f; if (!f) f = (__typeof__(&name))dlsym(RTLD_NEXT, #name); f; })

static void refuse(const char *path, const char *why)
{
    const char *parts[] = { "soak: the clock ", path, " ", why, "\n" };
    for (int i = 0; i < 5; i++)
        if (write(2, parts[i], strlen(parts[i])) < 0) break;
    _exit(127);
}

static const struct state *state(void)
{
    if (clocks) return clocks;
    int saved = errno;
    const char *path = getenv("SOAK_CLOCK");
    if (!path) return clocks = &none;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) refuse(path, "cannot be opened");
    const struct state *found = mmap(0, sizeof *found, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (found == MAP_FAILED || found->magic != MAGIC) refuse(path, "is not a clock");
    errno = saved;
    return clocks = found;
}

/* -- arithmetic */

static int64_t ns(const struct timespec *t)
{
    return t->tv_sec > INT64_MAX / SECOND / 2 ? INT64_MAX / 2 : t->tv_sec < -INT64_MAX / SECOND / 2 ? -INT64_MAX / 2 : t->tv_sec * SECOND + t->tv_nsec;
}
static int64_t us(const struct timeval *t) { struct timespec s = { t->tv_sec, t->tv_usec * 1000 }; return ns(&s); }
static struct timespec spec(int64_t t)
{
    int64_t part = t % SECOND;
    return part < 0 ? (struct timespec){ t / SECOND - 1, part + SECOND } : (struct timespec){ t / SECOND, part };
}
static struct timeval val(int64_t t) { struct timespec s = spec(t); return (struct timeval){ s.tv_sec, s.tv_nsec / 1000 }; }
/* Rounded up to a microsecond: not less than asked, and not 0, which would mean none. */
static struct timeval val_up(int64_t t) { return val(t + 999); }

static int64_t more(int64_t real) { __int128 t = (__int128)real * state()->factor / MILLION; return t > INT64_MAX / 2 ? INT64_MAX / 2 : (int64_t)t; }
static int64_t less(int64_t fake)
{
    __int128 f = state()->factor, t = (__int128)fake * MILLION;
    return (int64_t)(t > 0 ? (t + f - 1) / f : t / f);
}
static struct timespec less_spec(const struct timespec *t) { int64_t n = ns(t); return n < 0 ? *t : spec(less(n)); }
static int64_t jump(void) { return __atomic_load_n(&state()->jump, __ATOMIC_RELAXED); }

static int64_t real_mono(void) { struct timespec t; REAL(clock_gettime)(CLOCK_MONOTONIC, &t); return ns(&t); }

/* What a clock shows; base: what it showed at the start. */
static int64_t base_of(clockid_t id)
{
    switch (id) {
    case CLOCK_REALTIME: case CLOCK_REALTIME_COARSE: case CLOCK_REALTIME_ALARM: return state()->real + jump();
    case CLOCK_MONOTONIC: case CLOCK_MONOTONIC_COARSE: return state()->mono;
    case CLOCK_MONOTONIC_RAW: return state()->raw;
    case CLOCK_BOOTTIME: case CLOCK_BOOTTIME_ALARM: return state()->boot;
    default: return -1;
    }
}
static int64_t now_of(clockid_t id) { return base_of(id) + more(real_mono() - state()->mono); }

/* A time on a fake clock as one on the real CLOCK_MONOTONIC. */
static struct timespec deadline(clockid_t id, const struct timespec *fake)
{
    int64_t t = state()->mono + less(ns(fake) - base_of(id));
    return spec(t < 0 ? 0 : t);
}
static int whole(const struct timespec *t) { return t && t->tv_nsec >= 0 && t->tv_nsec < SECOND; }

/* -- clocks */

int clock_gettime(clockid_t id, struct timespec *t)
{
    if (base_of(id) < 0 || state() == &none) return REAL(clock_gettime)(id, t);
    *t = spec(now_of(id));
    return 0;
}
int __clock_gettime(clockid_t id, struct timespec *t) { return clock_gettime(id, t); }

int gettimeofday(struct timeval *restrict t, void *restrict zone)
{
    if (zone) memset(zone, 0, sizeof(struct timezone));
    struct timespec s;
    int r = clock_gettime(CLOCK_REALTIME, &s);
    *t = (struct timeval){ s.tv_sec, s.tv_nsec / 1000 };
    return r;
}
int __gettimeofday(struct timeval *t, void *zone) { return gettimeofday(t, zone); }

time_t time(time_t *at)
{
    struct timespec s;
    clock_gettime(CLOCK_REALTIME, &s);
    if (at) *at = s.tv_sec;
    return s.tv_sec;
}
int timespec_get(struct timespec *t, int base) { return base == TIME_UTC && !clock_gettime(CLOCK_REALTIME, t) ? base : 0; }
int ftime(struct timeb *b)
{
    struct timespec s;
    int r = clock_gettime(CLOCK_REALTIME, &s);
    *b = (struct timeb){ .time = s.tv_sec, .millitm = s.tv_nsec / 1000000 };
    return r;
}

/* -- sleeping */

int clock_nanosleep(clockid_t id, int flags, const struct timespec *t, struct timespec *left)
{
    if (base_of(id) < 0 || !whole(t)) return REAL(clock_nanosleep)(id, flags, t, left);
    struct timespec real = flags & TIMER_ABSTIME ? deadline(id, t) : less_spec(t);
    int r = REAL(clock_nanosleep)(CLOCK_MONOTONIC, flags, &real, left);
    if (r == EINTR && left && !(flags & TIMER_ABSTIME)) *left = spec(more(ns(left)));
    return r;
}
int nanosleep(const struct timespec *t, struct timespec *left)
{
    int r = clock_nanosleep(CLOCK_MONOTONIC, 0, t, left);
    if (r) errno = r;
    return r ? -1 : 0;
}
int usleep(useconds_t t) { struct timespec s = spec(t * 1000LL); return nanosleep(&s, 0); }
unsigned sleep(unsigned t)
{
    struct timespec s = { t, 0 }, left;
    return nanosleep(&s, &left) ? (unsigned)(left.tv_sec + (left.tv_nsec > 0)) : 0;
}

/* -- waiting for files */

/* Kept for the time of a call, where the C library only reads it. */
static struct timespec *rel(const struct timespec *t, struct timespec *kept) { return t ? (*kept = less_spec(t), kept) : 0; }
static struct timespec *millis(int t, struct timespec *kept) { return t < 0 ? 0 : (*kept = spec(less((int64_t)t * MILLION)), kept); }

int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *t, const sigset_t *mask)
{
    struct timespec kept;
    return REAL(ppoll)(fds, n, rel(t, &kept), mask);
}
int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *t, const sigset_t *mask, size_t size)
{
    (void)size;
    return ppoll(fds, n, t, mask);
}
int poll(struct pollfd *fds, nfds_t n, int t)
{
    struct timespec kept;
    return REAL(ppoll)(fds, n, millis(t, &kept), 0);
}
int __poll_chk(struct pollfd *fds, nfds_t n, int t, size_t size) { (void)size; return poll(fds, n, t); }

int pselect(int n, fd_set *r, fd_set *w, fd_set *x, const struct timespec *t, const sigset_t *mask)
{
    struct timespec kept;
    return REAL(pselect)(n, r, w, x, rel(t, &kept), mask);
}
int select(int n, fd_set *r, fd_set *w, fd_set *x, struct timeval *t)
{
    if (!t || t->tv_sec < 0 || t->tv_usec < 0) return REAL(select)(n, r, w, x, t);
    struct timespec real = spec(less(us(t))), fake;
    int64_t before = real_mono();
    int found = REAL(pselect)(n, r, w, x, &real, 0);
    int64_t left = us(t) - more(real_mono() - before);
    fake = spec(left > 0 ? left : 0);
    *t = (struct timeval){ fake.tv_sec, fake.tv_nsec / 1000 };
    return found;
}

static int wait_events(int fd, struct epoll_event *events, int n, const struct timespec *real, const sigset_t *mask)
{
    static int (*exact)(int, struct epoll_event *, int, const struct timespec *, const sigset_t *);
    static int looked;
    if (!looked) { exact = (__typeof__(exact))dlsym(RTLD_NEXT, "epoll_pwait2"); looked = 1; }
    if (exact) {
        int r = exact(fd, events, n, real, mask);
        if (r >= 0 || errno != ENOSYS) return r;
        exact = 0;
    }
    int64_t t = real ? (ns(real) + MILLION - 1) / MILLION : -1;
    return REAL(epoll_pwait)(fd, events, n, t > INT_MAX ? INT_MAX : (int)t, mask);
}
int epoll_pwait2(int fd, struct epoll_event *events, int n, const struct timespec *t, const sigset_t *mask)
{
    struct timespec kept;
    return wait_events(fd, events, n, rel(t, &kept), mask);
}
int epoll_pwait(int fd, struct epoll_event *events, int n, int t, const sigset_t *mask)
{
    struct timespec kept;
    return wait_events(fd, events, n, millis(t, &kept), mask);
}
int epoll_wait(int fd, struct epoll_event *events, int n, int t) { return epoll_pwait(fd, events, n, t, 0); }

static int is_timeout(int level, int name) { return level == SOL_SOCKET && (name == SO_RCVTIMEO || name == SO_SNDTIMEO); }
int setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
    if (!is_timeout(level, name) || size < sizeof(struct timeval)) return REAL(setsockopt)(fd, level, name, value, size);
    const struct timeval *t = value;
    struct timeval real = t->tv_sec < 0 ? *t : val_up(less(us(t)));
    return REAL(setsockopt)(fd, level, name, &real, sizeof real);
}
int getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
    int r = REAL(getsockopt)(fd, level, name, value, size);
    if (!r && is_timeout(level, name) && *size >= sizeof(struct timeval)) *(struct timeval *)value = val(more(us(value)));
    return r;
}

/* -- waiting for threads: with the time on the real CLOCK_MONOTONIC, whichever clock was asked for */

int sem_clockwait(sem_t *s, clockid_t id, const struct timespec *t)
{
    if (base_of(id) < 0 || !whole(t)) return REAL(sem_clockwait)(s, id, t);
    struct timespec real = deadline(id, t);
    return REAL(sem_clockwait)(s, CLOCK_MONOTONIC, &real);
}
int sem_timedwait(sem_t *s, const struct timespec *t) { return sem_clockwait(s, CLOCK_REALTIME, t); }

int pthread_cond_clockwait(pthread_cond_t *c, pthread_mutex_t *m, clockid_t id, const struct timespec *t)
{
    if (base_of(id) < 0 || !whole(t)) return REAL(pthread_cond_clockwait)(c, m, id, t);
    struct timespec real = deadline(id, t);
    return REAL(pthread_cond_clockwait)(c, m, CLOCK_MONOTONIC, &real);
}
int pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *t)
{
    /* The second bit says on which clock the condition waits (glibc since 2.25). */
    return pthread_cond_clockwait(c, m, c->__data.__wrefs & 2 ? CLOCK_MONOTONIC : CLOCK_REALTIME, t);
}
#define LOCK(clocked, timed, type)                                              \
    int clocked(type *l, clockid_t id, const struct timespec *t)                \
    {                                                                           \
        if (base_of(id) < 0 || !whole(t)) return REAL(clocked)(l, id, t);       \
        struct timespec real = deadline(id, t);                                 \
        return REAL(clocked)(l, CLOCK_MONOTONIC, &real);                        \
    }                                                                           \
    int timed(type *l, const struct timespec *t) { return clocked(l, CLOCK_REALTIME, t); }
LOCK(pthread_mutex_clocklock, pthread_mutex_timedlock, pthread_mutex_t)
LOCK(pthread_rwlock_clockrdlock, pthread_rwlock_timedrdlock, pthread_rwlock_t)
LOCK(pthread_rwlock_clockwrlock, pthread_rwlock_timedwrlock, pthread_rwlock_t)

int pthread_clockjoin_np(pthread_t thread, void **value, clockid_t id, const struct timespec *t)
{
    if (base_of(id) < 0 || !whole(t)) return REAL(pthread_clockjoin_np)(thread, value, id, t);
    struct timespec real = deadline(id, t);
    return REAL(pthread_clockjoin_np)(thread, value, CLOCK_MONOTONIC, &real);
}
int pthread_timedjoin_np(pthread_t thread, void **value, const struct timespec *t)
{
    return pthread_clockjoin_np(thread, value, CLOCK_REALTIME, t);
}
int sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *t)
{
    struct timespec kept;
    return REAL(sigtimedwait)(set, info, rel(t, &kept));
}
int semtimedop(int id, struct sembuf *ops, size_t n, const struct timespec *t)
{
    struct timespec kept;
    return REAL(semtimedop)(id, ops, n, rel(t, &kept));
}

/* -- timers */

int getitimer(__itimer_which_t which, struct itimerval *t)
{
    int r = REAL(getitimer)(which, t);
    if (!r && which == ITIMER_REAL) *t = (struct itimerval){ val(more(us(&t->it_interval))), val(more(us(&t->it_value))) };
    return r;
}
int setitimer(__itimer_which_t which, const struct itimerval *t, struct itimerval *old)
{
    if (which != ITIMER_REAL || !t) return REAL(setitimer)(which, t, old);
    struct itimerval real = { val_up(less(us(&t->it_interval))), val_up(less(us(&t->it_value))) };
    int r = REAL(setitimer)(which, &real, old);
    if (!r && old) *old = (struct itimerval){ val(more(us(&old->it_interval))), val(more(us(&old->it_value))) };
    return r;
}
unsigned alarm(unsigned t)
{
    struct itimerval next = { { 0, 0 }, { t, 0 } }, old;
    if (setitimer(ITIMER_REAL, &next, &old)) return 0;
    return old.it_value.tv_sec + (old.it_value.tv_usec > 0);
}
useconds_t ualarm(useconds_t t, useconds_t again)
{
    struct itimerval next = { { again / MILLION, again % MILLION }, { t / MILLION, t % MILLION } }, old;
    return setitimer(ITIMER_REAL, &next, &old) ? (useconds_t)-1 : old.it_value.tv_sec * MILLION + old.it_value.tv_usec;
}

/* A timer's time, relative and real. An absolute one is of the clock that is nearer: uptime and the time since 1970 are far apart. */
static struct itimerspec timer(const struct itimerspec *t, int absolute)
{
    int64_t value = ns(&t->it_value);
    if (absolute && value) {
        int64_t mono = value - now_of(CLOCK_MONOTONIC), real = value - now_of(CLOCK_REALTIME);
        value = llabs(mono) < llabs(real) ? mono : real;
        value = value > 0 ? value : 1;
    }
    return (struct itimerspec){ spec(less(ns(&t->it_interval))), spec(less(value)) };
}
static void longer(struct itimerspec *t)
{
    if (t) *t = (struct itimerspec){ spec(more(ns(&t->it_interval))), spec(more(ns(&t->it_value))) };
}
int timer_settime(timer_t id, int flags, const struct itimerspec *t, struct itimerspec *old)
{
    struct itimerspec real = timer(t, flags & TIMER_ABSTIME);
    int r = REAL(timer_settime)(id, flags & ~TIMER_ABSTIME, &real, old);
    if (!r) longer(old);
    return r;
}
int timer_gettime(timer_t id, struct itimerspec *t)
{
    int r = REAL(timer_gettime)(id, t);
    if (!r) longer(t);
    return r;
}
int timerfd_settime(int fd, int flags, const struct itimerspec *t, struct itimerspec *old)
{
    struct itimerspec real = timer(t, flags & TFD_TIMER_ABSTIME);
    int r = REAL(timerfd_settime)(fd, 0, &real, old);
    if (!r) longer(old);
    return r;
}
int timerfd_gettime(int fd, struct itimerspec *t)
{
    int r = REAL(timerfd_gettime)(fd, t);
    if (!r) longer(t);
    return r;
}

/* -- times of files: those since the start are as the fake clock was then */

static void file(int64_t *second, int64_t *part)
{
    int64_t since = *second * SECOND + *part - state()->real;
    if (since <= 0) return;
    struct timespec t = spec(state()->real + more(since));
    *second = t.tv_sec, *part = t.tv_nsec;
}
static int of_file(int r, struct stat *s)
{
    if (r || state() == &none) return r;
    file(&s->st_atim.tv_sec, &s->st_atim.tv_nsec);
    file(&s->st_mtim.tv_sec, &s->st_mtim.tv_nsec);
    file(&s->st_ctim.tv_sec, &s->st_ctim.tv_nsec);
    return 0;
}
#define STAT(name, parameters, ...)                                             \
    int name parameters { return of_file(REAL(name)(__VA_ARGS__), (struct stat *)s); }
#define STATS(with, type)                                                       \
    STAT(stat##with, (const char *restrict p, type *restrict s), p, s)          \
    STAT(lstat##with, (const char *restrict p, type *restrict s), p, s)         \
    STAT(fstat##with, (int fd, type *s), fd, s)                                 \
    STAT(fstatat##with, (int fd, const char *restrict p, type *restrict s, int f), fd, p, s, f) \
    extern int __xstat##with(int, const char *, type *), __lxstat##with(int, const char *, type *), \
        __fxstat##with(int, int, type *), __fxstatat##with(int, int, const char *, type *, int);    \
    STAT(__xstat##with, (int v, const char *p, type *s), v, p, s)               \
    STAT(__lxstat##with, (int v, const char *p, type *s), v, p, s)              \
    STAT(__fxstat##with, (int v, int fd, type *s), v, fd, s)                    \
    STAT(__fxstatat##with, (int v, int fd, const char *p, type *s, int f), v, fd, p, s, f)
STATS(, struct stat)
STATS(64, struct stat64)

static void of_statx(struct statx_timestamp *t)
{
    int64_t second = t->tv_sec, part = t->tv_nsec;
    file(&second, &part);
    t->tv_sec = second, t->tv_nsec = part;
}
int statx(int fd, const char *restrict p, int flags, unsigned mask, struct statx *restrict s)
{
    int r = REAL(statx)(fd, p, flags, mask, s);
    if (r || state() == &none) return r;
    of_statx(&s->stx_atime), of_statx(&s->stx_mtime), of_statx(&s->stx_ctime), of_statx(&s->stx_btime);
    return 0;
}

static struct timespec set(const struct timespec *t)
{
    int special = t->tv_nsec == UTIME_NOW || t->tv_nsec == UTIME_OMIT;
    int64_t since = special ? 0 : ns(t) - state()->real;
    return since <= 0 ? *t : spec(state()->real + less(since));
}
int utimensat(int fd, const char *p, const struct timespec t[2], int flags)
{
    struct timespec real[2];
    if (t) real[0] = set(&t[0]), real[1] = set(&t[1]);
    return REAL(utimensat)(fd, p, t ? real : 0, flags);
}
int futimens(int fd, const struct timespec t[2])
{
    struct timespec real[2];
    if (t) real[0] = set(&t[0]), real[1] = set(&t[1]);
    return REAL(futimens)(fd, t ? real : 0);
}
int utimes(const char *p, const struct timeval t[2])
{
    if (!t) return utimensat(AT_FDCWD, p, 0, 0);
    struct timespec both[2] = { spec(us(&t[0])), spec(us(&t[1])) };
    return utimensat(AT_FDCWD, p, both, 0);
}
int utime(const char *p, const struct utimbuf *t)
{
    if (!t) return utimensat(AT_FDCWD, p, 0, 0);
    struct timespec both[2] = { { t->actime, 0 }, { t->modtime, 0 } };
    return utimensat(AT_FDCWD, p, both, 0);
}

/* -- system calls by number: locks of Erlang and Rust are futexes, and some programs read clocks so */

typedef long call(long, long, long, long, long, long, long);
static call *real_syscall(void)
{
    static call *found;
    if (!found) found = (call *)dlsym(RTLD_NEXT, "syscall");
    return found;
}
static long done(int r) { if (!r) return 0; errno = r; return -1; }

static long futex(long word, long op, long value, const struct timespec *asked, long e, long f)
{
    int absolute = (op & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET;
    struct timespec t = absolute ? deadline(op & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC, asked) : less_spec(asked);
    return real_syscall()(SYS_futex, word, op & ~(long)FUTEX_CLOCK_REALTIME, value, (long)&t, e, f);
}
static int is_wait(long op) { int command = op & FUTEX_CMD_MASK; return command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET; }

/* Under another name here, since the C library declares it with any number of arguments. */
long by_number(long n, long a, long b, long c, long d, long e, long f) __asm__("syscall");
long by_number(long n, long a, long b, long c, long d, long e, long f)
{
    if (n == SYS_futex && d && is_wait(b)) return futex(a, b, c, (const struct timespec *)d, e, f);
    if (n == SYS_clock_gettime) return clock_gettime((clockid_t)a, (struct timespec *)b);
    if (n == SYS_gettimeofday) return gettimeofday((struct timeval *)a, (void *)b);
    if (n == SYS_nanosleep) return nanosleep((const struct timespec *)a, (struct timespec *)b);
    if (n == SYS_clock_nanosleep) return done(clock_nanosleep((clockid_t)a, (int)b, (const struct timespec *)c, (struct timespec *)d));
    return real_syscall()(n, a, b, c, d, e, f);
}

static void __attribute__((constructor)) begin(void)
{
    /* A timer may be late by 50 us of real time, which would be multiplied. */
    real_mono(), real_syscall();
    if (state() != &none) prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0);
}
