;;; ctx.el --- Search, context and maps of a repository, through eglot  -*- lexical-binding: t; -*-

;; Version: 0.1.0
;; Package-Requires: ((emacs "28.1") (eglot "1.9"))
;; Keywords: tools, languages
;; SPDX-License-Identifier: MIT

;;; Commentary:

;; `ctx-eglot-setup' makes eglot start `ctx lsp' for the modes of `ctx-modes'.  In a buffer that it manages, and in
;; the windows the commands open, `ctx-search', `ctx-get', `ctx-map', `ctx-telemetry' and `ctx-restart' work.
;; docs/editors.md tells how to install it.

;;; Code:

(require 'eglot)
(require 'cl-lib)
(require 'subr-x)

(defgroup ctx nil
  "Search, context and maps of a repository."
  :group 'tools
  :prefix "ctx-")

(defcustom ctx-command '("ctx" "lsp")
  "Program and arguments of the server."
  :type '(repeat string))

(defcustom ctx-modes
  '(python-mode python-ts-mode js-mode js-ts-mode typescript-mode typescript-ts-mode tsx-ts-mode go-mode go-ts-mode
    rust-mode rust-ts-mode java-mode java-ts-mode c-mode c-ts-mode c++-mode c++-ts-mode ruby-mode ruby-ts-mode
    php-mode csharp-mode csharp-ts-mode sh-mode bash-ts-mode markdown-mode)
  "Major modes whose buffers `ctx-eglot-setup' gives to the server."
  :type '(repeat symbol))

(defcustom ctx-features
  '(:documentSymbol t :hover t :definition t :references t :workspaceSymbol t :codeLens t)
  "What the server offers; `:json-false' in the place of t leaves a feature out."
  :type 'plist)

(defclass ctx-server (eglot-lsp-server)
  ((status :initform nil :accessor ctx-server-status))
  :documentation "A running `ctx lsp' and what it last said of itself.")

;;;###autoload
(defun ctx-eglot-setup (&optional modes)
  "Have eglot start ctx for MODES, by default those of `ctx-modes'.
M-x eglot, or `eglot-ensure' in a mode's hook, then connects."
  (add-to-list 'eglot-server-programs
               (cons (or modes ctx-modes)
                     ;; A function, so that later changes of `ctx-features' count.
                     `(ctx-server ,@ctx-command :initializationOptions ,(lambda (_server) ctx-features))))
  (add-to-list 'mode-line-misc-info '(:eval (ctx-mode-line)) t))

(cl-defmethod eglot-handle-notification ((server ctx-server) (_method (eql ctx/status)) &rest status)
  "Keep what SERVER says of itself, the plist STATUS, for the mode line."
  (setf (ctx-server-status server) status)
  (force-mode-line-update t))

(defun ctx-mode-line ()
  "Return the server's state for the mode line, \"\" in a buffer without ctx."
  (let* ((server (eglot-current-server))
         (status (and server (cl-typep server 'ctx-server) (ctx-server-status server))))
    (if (not status)
        ""
      (let ((state (plist-get status :state))
            (name (plist-get status :server))
            (tokens (plist-get status :tokens)))
        (concat " ctx " (if (equal state "ready") "READY" state)
                (if (and (stringp name) (not (string-empty-p name))) (concat " " name) "")
                (if (and (numberp tokens) (> tokens 0)) (format " %dt" tokens) ""))))))

(defvar-local ctx--server nil "The server whose answer this buffer shows.")

(defun ctx--current-server ()
  "Return the server to ask from the current buffer."
  (let ((server (or (eglot-current-server) ctx--server)))
    (unless (and server (cl-typep server 'ctx-server) (jsonrpc-running-p server))
      (user-error "No ctx server here: M-x eglot in a source file first, after (ctx-eglot-setup)"))
    server))

(defun ctx-segment (directory)
  "Return the segment that DIRECTORY is in.
That is the nearest folder upwards that has _ctx or .git, else DIRECTORY."
  (let ((found (locate-dominating-file
                directory (lambda (folder) (or (file-directory-p (expand-file-name "_ctx" folder))
                                               (file-exists-p (expand-file-name ".git" folder)))))))
    (file-name-as-directory (expand-file-name (or found directory)))))

(defun ctx--segment ()
  "Return the segment that the answers of the current buffer's server are about."
  (let ((project (ignore-errors (eglot--project (ctx--current-server)))))
    (ctx-segment (if project (project-root project) default-directory))))

(defun ctx--unsent-changes-sent ()
  "Tell the server of edits that eglot still holds back."
  (when (eglot-managed-p)
    (eglot--signal-textDocument/didChange)))

(defun ctx-execute (command &rest argument)
  "Have the server run COMMAND with the plist ARGUMENT.
Return the document it answers with.  What the server says against it is said in
its own words."
  (ctx--unsent-changes-sent)
  (condition-case failure
      (jsonrpc-request (ctx--current-server) :workspace/executeCommand
                       (list :command command :arguments (vector (or argument (make-hash-table))))
                       :timeout 60)
    (jsonrpc-error
     (user-error "ctx: %s" (or (alist-get 'jsonrpc-error-message (cddr failure))
                               (error-message-string failure))))))

(defun ctx--show (name text &optional mode)
  "Show TEXT in the buffer NAME, with the colours of the major mode MODE."
  (let ((server (ctx--current-server))
        (segment default-directory)
        (buffer (get-buffer-create name)))
    (with-current-buffer buffer
      (let ((inhibit-read-only t))
        (erase-buffer)
        ;; The mode's hooks would have eglot manage a text that is no file.
        (when mode (delay-mode-hooks (funcall mode)))
        (insert text)
        (unless mode (special-mode)))
      (setq buffer-read-only t
            default-directory segment
            ctx--server server)
      (goto-char (point-min)))
    (pop-to-buffer buffer)))

(defun ctx--documents (value)
  "Return VALUE, a list of objects as the server sent it, as a list."
  (append value nil))

(defun ctx--one-line (text)
  "Return TEXT with its white space folded."
  (string-trim (replace-regexp-in-string "[ \t\n]+" " " (or text ""))))

;;;###autoload
(defun ctx-search (query)
  "Find what answers QUERY; RET and \\[next-error] go to a hit."
  (interactive (list (read-string "ctx search: " nil nil (thing-at-point 'symbol))))
  (let* ((default-directory (ctx--segment))
         (document (ctx-execute "ctx.search" :query query))
         (hits (ctx--documents (plist-get document :hits))))
    (if (not hits)
        (message "ctx: %s" (or (plist-get document :reason) "nothing was found"))
      (ctx--show "*ctx search*"
                 (mapconcat (lambda (hit)
                              (format "%s:%d: %s %dt  %s\n" (plist-get hit :path) (plist-get hit :start_line)
                                      (plist-get hit :qualname) (plist-get hit :tokens)
                                      (ctx--one-line (plist-get hit :signature))))
                            hits "")
                 #'grep-mode))))

;;;###autoload
(defun ctx-get (target &optional mode)
  "Show the text behind TARGET, by default what point is in.
With a prefix argument ask for the MODE."
  (interactive
   (list (read-string "ctx get: " (and buffer-file-name
                                       (format "%s:%d" (file-relative-name buffer-file-name (ctx--segment))
                                               (line-number-at-pos nil t))))
         (and current-prefix-arg (completing-read "Mode: " '("skeleton" "excerpt" "raw") nil t))))
  (let* ((default-directory (ctx--segment))
         (document (apply #'ctx-execute "ctx.get" :targets (vector target) (and mode (list :mode mode))))
         (items (ctx--documents (plist-get document :items)))
         (path (plist-get (car items) :path)))
    (if (not items)
        (message "ctx: %s" (or (plist-get document :reason) "nothing was found"))
      (ctx--show "*ctx get*"
                 (mapconcat (lambda (item)
                              (format "== %s:%d-%d %s %dt\n%s" (plist-get item :path) (plist-get item :start_line)
                                      (plist-get item :end_line) (plist-get item :mode) (plist-get item :tokens)
                                      (plist-get item :text)))
                            items "\n")
                 (assoc-default path auto-mode-alist #'string-match)))))

;;;###autoload
(defun ctx-map (&optional path)
  "Show the ranked skeleton of the repository; with a prefix argument that of PATH."
  (interactive (list (and current-prefix-arg (read-file-name "ctx map of: "))))
  (let* ((default-directory (ctx--segment))
         (paths (and path (list :paths (vector (file-relative-name path))))))
    (ctx--show "*ctx map*" (plist-get (apply #'ctx-execute "ctx.map" paths) :text))))

(defun ctx--outline (value indent)
  "Return the plist VALUE as lines of `name: value', nested ones after INDENT."
  (cl-loop for (key inner) on value by #'cddr
           for name = (substring (symbol-name key) 1)
           concat (cond ((and (consp inner) (keywordp (car inner)))
                         (format "%s%s\n%s" indent name (ctx--outline inner (concat indent "  "))))
                        ((null inner) "")
                        (t (format "%s%s: %s\n" indent name inner)))))

;;;###autoload
(defun ctx-telemetry ()
  "Show what was asked so far, and what it cost."
  (interactive)
  (let ((default-directory (ctx--segment)))
    (ctx--show "*ctx telemetry*" (ctx--outline (ctx-execute "ctx.telemetry") ""))))

;;;###autoload
(defun ctx-restart ()
  "Have the server start what is behind it anew."
  (interactive)
  (ctx-execute "ctx.restart")
  (message "ctx: started anew"))

(provide 'ctx)
;;; ctx.el ends here
