// The process that holds a sandbox open, for Linux on 64-bit ARM. `image.py` beside this file carries these very bytes; a test assembles
// this file again and compares. It waits for signals, reaps whatever was left to it (as process 1 it inherits every orphan), and ends
// with 0 on SIGTERM or SIGINT. Blocked signals reach process 1 too, so no handler is needed.

        .globl  _start
_start:
        mov     x19, #0x4002            // the signal set {SIGINT 2, SIGTERM 15, SIGCHLD 17}: bit n-1 for signal n
        movk    x19, #1, lsl #16
        str     x19, [sp, #-16]!
        mov     x0, #0                  // SIG_BLOCK
        mov     x1, sp
        mov     x2, #0
        mov     x3, #8                  // bytes in a signal set
        mov     x8, #135                // rt_sigprocmask(SIG_BLOCK, set, NULL, 8)
        svc     #0
reap:
        mov     x0, #-1                 // any child
        mov     x1, #0
        mov     x2, #1                  // WNOHANG
        mov     x3, #0
        mov     x8, #260                // wait4(-1, NULL, WNOHANG, NULL)
        svc     #0
        cmp     x0, #0
        b.gt    reap
        mov     x0, sp
        mov     x1, #0
        mov     x2, #0
        mov     x3, #8
        mov     x8, #137                // rt_sigtimedwait(set, NULL, NULL, 8)
        svc     #0
        cmp     x0, #2                  // SIGINT
        b.eq    end
        cmp     x0, #15                 // SIGTERM
        b.ne    reap                    // SIGCHLD, or interrupted
end:
        mov     x0, #0
        mov     x8, #94                 // exit_group(0)
        svc     #0
