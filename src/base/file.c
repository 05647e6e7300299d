/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

tcs_status tcsi_file_read(const char *path, tcsi_buffer *buffer, tcs_error *err)
{
    FILE *stream = fopen(path, "rb");
    if (!stream) return tcsi_fail(err, TCS_E_IO, "%s: %s", path, strerror(errno));
    tcs_status status = TCS_OK;
    char bytes[65536];
    size_t size;
    while (status == TCS_OK && (size = fread(bytes, 1, sizeof bytes, stream)) > 0)
        status = tcsi_buffer_append(buffer, bytes, size, err);
    if (status == TCS_OK && ferror(stream)) status = tcsi_fail(err, TCS_E_IO, "%s: %s", path, strerror(errno));
    if (status != TCS_OK && status != TCS_E_IO) tcsi_fail_prefix(err, "%s", path);
    fclose(stream);
    return status;
}

tcs_status tcsi_file_writer_open(const char *path, tcsi_file_writer *ret_writer, tcs_error *err)
{
    tcsi_file_writer writer = { 0 };
    struct stat info;
    bool is_stdout = strcmp(path, "-") == 0;
    bool special = !is_stdout && stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode); /* a pipe or device */
    size_t size = strlen(path) + 32;
    writer.path = tcsi_strdup(is_stdout ? "standard output" : path);
    if (!is_stdout && !special) writer.path_temporary = tcsi_alloc(size);
    if (!writer.path || (!is_stdout && !special && !writer.path_temporary)) {
        tcsi_free(writer.path);
        tcsi_free(writer.path_temporary);
        return tcsi_fail_memory(err, "a file name");
    }
    if (writer.path_temporary) snprintf(writer.path_temporary, size, "%s.%ld.partial", path, (long)getpid());
    writer.stream = is_stdout ? stdout : fopen(special ? path : writer.path_temporary, "wb");
    if (!writer.stream) {
        tcs_status status = tcsi_fail(err, TCS_E_IO, "%s: cannot be written: %s", path, strerror(errno));
        tcsi_free(writer.path);
        tcsi_free(writer.path_temporary);
        return status;
    }
    *ret_writer = writer;
    return TCS_OK;
}

tcs_status tcsi_file_writer_commit(tcsi_file_writer *writer, tcs_error *err)
{
    tcs_status status = TCS_OK;
    errno = 0;
    bool failed = fflush(writer->stream) != 0 || ferror(writer->stream);
    if (!failed && writer->path_temporary) failed = fsync(fileno(writer->stream)) != 0;
    int cause = errno ? errno : EIO;
    if (writer->stream != stdout && fclose(writer->stream) != 0 && !failed) {
        failed = true;
        cause = errno;
    }
    writer->stream = NULL;
    if (!failed && writer->path_temporary && rename(writer->path_temporary, writer->path) != 0) {
        failed = true;
        cause = errno;
    }
    if (failed) status = tcsi_fail(err, TCS_E_IO, "%s: cannot be written: %s", writer->path, strerror(cause));
    if (failed && writer->path_temporary) unlink(writer->path_temporary);
    tcsi_free(writer->path);
    tcsi_free(writer->path_temporary);
    *writer = (tcsi_file_writer){ 0 };
    return status;
}

void tcsi_file_writer_abort(tcsi_file_writer *writer)
{
    if (writer->stream && writer->stream != stdout) fclose(writer->stream);
    if (writer->path_temporary) unlink(writer->path_temporary);
    tcsi_free(writer->path);
    tcsi_free(writer->path_temporary);
    *writer = (tcsi_file_writer){ 0 };
}

tcs_status tcsi_file_write(const char *path, const void *bytes, size_t size, tcs_error *err)
{
    tcsi_file_writer writer;
    tcs_status status = tcsi_file_writer_open(path, &writer, err);
    if (status != TCS_OK) return status;
    if (size) fwrite(bytes, 1, size, writer.stream); /* commit reports what failed */
    return tcsi_file_writer_commit(&writer, err);
}
