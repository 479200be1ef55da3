# The process that holds a sandbox open, for Linux on x86-64. `image.py` beside this file carries these very bytes; a test assembles
# this file again and compares. It waits for signals, reaps whatever was left to it (as process 1 it inherits every orphan), and ends
# with 0 on SIGTERM or SIGINT. Blocked signals reach process 1 too, so no handler is needed.

        .globl  _start
_start:
        push    $0x14002                # the signal set {SIGINT 2, SIGTERM 15, SIGCHLD 17}: bit n-1 for signal n
        mov     %rsp, %rbx
        xor     %edi, %edi              # SIG_BLOCK
        mov     %rbx, %rsi
        xor     %edx, %edx
        mov     $8, %r10d               # bytes in a signal set
        mov     $14, %eax               # rt_sigprocmask(SIG_BLOCK, set, NULL, 8)
        syscall
reap:
        mov     $-1, %rdi               # any child
        xor     %esi, %esi
        mov     $1, %edx                # WNOHANG
        xor     %r10d, %r10d
        mov     $61, %eax               # wait4(-1, NULL, WNOHANG, NULL)
        syscall
        test    %rax, %rax
        jg      reap
        mov     %rbx, %rdi
        xor     %esi, %esi
        xor     %edx, %edx
        mov     $8, %r10d
        mov     $128, %eax              # rt_sigtimedwait(set, NULL, NULL, 8)
        syscall
        cmp     $2, %eax                # SIGINT
        je      end
        cmp     $15, %eax               # SIGTERM
        jne     reap                    # SIGCHLD, or interrupted
end:
        xor     %edi, %edi
        mov     $231, %eax              # exit_group(0)
        syscall
