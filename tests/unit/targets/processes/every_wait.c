/* Every way to wait that the C library has, for as many seconds as the argument says: its name, then seconds by the clock that
   may be fake, and the most and least that passed by CLOCK_TAI, which is not. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds(clockid_t id) { struct timespec t; clock_gettime(id, &t); return t.tv_sec + t.tv_nsec / 1e9; }
static struct timespec after(clockid_t id, int s) { struct timespec t; clock_gettime(id, &t); t.tv_sec += s; return t; }
static void rung(int number) { (void)number; }
static void *forever(void *unused) { pause(); return unused; }

#define WAY(name, ...) do {                                                                             \
    double a = seconds(CLOCK_TAI), from = seconds(CLOCK_MONOTONIC), b = seconds(CLOCK_TAI);             \
    __VA_ARGS__;                                                                                        \
    double c = seconds(CLOCK_TAI), to = seconds(CLOCK_MONOTONIC), d = seconds(CLOCK_TAI);               \
    printf("%s\t%.6f\t%.6f\t%.6f\n", name, to - from, d - a, c - b);                                    \
    fflush(stdout);                                                                                     \
} while (0)

int main(int count, char **words)
{
    int s = count > 1 ? atoi(words[1]) : 1, events = epoll_create1(0), sockets[2], word = 0, child;
    const int real = CLOCK_REALTIME, mono = CLOCK_MONOTONIC;
    struct timespec rel = { s, 0 }, t;
    struct itimerspec once = { { 0, 0 }, { s, 0 } };
    struct itimerval alarm_once = { { 0, 0 }, { s, 0 } }, left;
    struct timeval v = { s, 0 };
    struct epoll_event event;
    struct sembuf down = { 0, -1, 0 };
    uint64_t times;
    char byte;
    sigset_t set;
    sem_t sem;
    timer_t timer;
    pthread_t thread;
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER, other = PTHREAD_MUTEX_INITIALIZER;
    pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER, steady;
    pthread_condattr_t how;

    socketpair(AF_UNIX, SOCK_STREAM, 0, sockets);
    sem_init(&sem, 0, 0);
    pthread_condattr_init(&how), pthread_condattr_setclock(&how, mono), pthread_cond_init(&steady, &how);
    pthread_mutex_lock(&lock), pthread_mutex_lock(&other), pthread_rwlock_rdlock(&rw);
    sigemptyset(&set), sigaddset(&set, SIGUSR1);
    struct sigaction act = { .sa_handler = rung };
    sigaction(SIGALRM, &act, 0);

    WAY("nanosleep", nanosleep(&rel, 0));
    WAY("usleep", usleep(s * 1000000));
    WAY("sleep", sleep(s));
    WAY("clock_nanosleep", clock_nanosleep(mono, 0, &rel, 0));
    WAY("clock_nanosleep until, monotonic", t = after(mono, s); clock_nanosleep(mono, TIMER_ABSTIME, &t, 0));
    WAY("clock_nanosleep until, realtime", t = after(real, s); clock_nanosleep(real, TIMER_ABSTIME, &t, 0));
    WAY("select", select(0, 0, 0, 0, &v));
    WAY("pselect", pselect(0, 0, 0, 0, &rel, 0));
    WAY("poll", poll(0, 0, s * 1000));
    WAY("ppoll", ppoll(0, 0, &rel, 0));
    WAY("epoll_wait", epoll_wait(events, &event, 1, s * 1000));
    WAY("epoll_pwait", epoll_pwait(events, &event, 1, s * 1000, 0));
    WAY("epoll_pwait2", epoll_pwait2(events, &event, 1, &rel, 0));
    WAY("sem_timedwait", t = after(real, s); sem_timedwait(&sem, &t));
    WAY("sem_clockwait", t = after(mono, s); sem_clockwait(&sem, mono, &t));
    WAY("pthread_cond_timedwait, realtime", t = after(real, s); pthread_cond_timedwait(&cond, &lock, &t));
    WAY("pthread_cond_timedwait, monotonic", t = after(mono, s); pthread_cond_timedwait(&steady, &lock, &t));
    WAY("pthread_cond_clockwait", t = after(mono, s); pthread_cond_clockwait(&cond, &lock, mono, &t));
    WAY("pthread_mutex_timedlock", t = after(real, s); pthread_mutex_timedlock(&other, &t));
    WAY("pthread_rwlock_timedwrlock", t = after(real, s); pthread_rwlock_timedwrlock(&rw, &t));
    pthread_create(&thread, 0, forever, 0);
    WAY("pthread_timedjoin_np", t = after(real, s); pthread_timedjoin_np(thread, 0, &t));
    pthread_cancel(thread), pthread_join(thread, 0);
    WAY("sigtimedwait", sigtimedwait(&set, 0, &rel));
    WAY("semtimedop", int id = semget(IPC_PRIVATE, 1, 0600); semtimedop(id, &down, 1, &rel); semctl(id, 0, IPC_RMID));
    WAY("alarm", alarm(s); pause());
    WAY("setitimer", setitimer(ITIMER_REAL, &alarm_once, 0); pause());
    timer_create(mono, 0, &timer);
    WAY("timer_settime", timer_settime(timer, 0, &once, 0); pause());
    WAY("timer_settime until", once.it_value = after(mono, s); timer_settime(timer, TIMER_ABSTIME, &once, 0); pause());
    int fd = timerfd_create(real, 0);
    WAY("timerfd_settime until", once.it_value = after(real, s); timerfd_settime(fd, 1, &once, 0); if (read(fd, &times, 8) < 0) return 1);
    once.it_value = rel;
    WAY("timerfd_settime", timerfd_settime(fd, 0, &once, 0); if (read(fd, &times, 8) < 0) return 1);
    WAY("futex", syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &rel, 0, 0));
    WAY("futex until", t = after(mono, s); syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, 0, &t, 0, ~0));
    WAY("futex until, realtime", t = after(real, s);
        syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 0, &t, 0, ~0));
    WAY("nanosleep by number", syscall(SYS_nanosleep, &rel, 0));
    v.tv_sec = s, v.tv_usec = 0;
    WAY("SO_RCVTIMEO", setsockopt(sockets[0], SOL_SOCKET, SO_RCVTIMEO, &v, sizeof v); if (recv(sockets[0], &byte, 1, 0) == 0) return 1);

    /* What is given back: the time left, as long as it was set. */
    alarm_once.it_value.tv_sec = 1000 * s;
    setitimer(ITIMER_REAL, &alarm_once, 0), getitimer(ITIMER_REAL, &left);
    printf("left\t%ld\n", (long)left.it_value.tv_sec);
    printf("left of alarm\t%u\n", alarm(0));
    fflush(stdout);
    if ((child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)) == 0) _exit(7);
    waitpid(child, &word, 0);
    printf("child\t%d\n", WEXITSTATUS(word));
    return 0;
}
