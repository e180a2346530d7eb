/*
 * _plumbline: setns(2), which CPython has as os.setns from 3.12 on; bpf(2), and an ioctl(2) whose argument has a pointer
 * in it, which CPython has not; and what the binary was built of. cni/linux/libc.py and cni/protocol/version.py are what uses them.
 */
#include "program.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static PyObject *call_setns(PyObject *module, PyObject *arguments)
{
    int fd, type;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "ii", &fd, &type))
        return NULL;
    if (setns(fd, type) < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

/*
 * bpf(command, attributes, pointers): attributes is a bytearray, which the kernel may change; pointers is a tuple of
 * (offset, bytearray): where in it the address of that bytearray is to be.
 */
static PyObject *call_bpf(PyObject *module, PyObject *arguments)
{
    int command;
    long answer;
    PyObject *attributes, *pointers;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "iO!O!", &command, &PyByteArray_Type, &attributes, &PyTuple_Type, &pointers))
        return NULL;
    for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(pointers); at++) {
        Py_ssize_t offset;
        PyObject *target;
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(pointers, at), "nO!", &offset, &PyByteArray_Type, &target))
            return NULL;
        unsigned long long address = (unsigned long)PyByteArray_AS_STRING(target);
        if (offset < 0 || offset + (Py_ssize_t)sizeof address > PyByteArray_GET_SIZE(attributes)) {
            PyErr_SetString(PyExc_ValueError, "no room for a pointer");
            return NULL;
        }
        memcpy(PyByteArray_AS_STRING(attributes) + offset, &address, sizeof address);
    }
    answer = syscall(SYS_bpf, command, PyByteArray_AS_STRING(attributes), (unsigned)PyByteArray_GET_SIZE(attributes));
    if (answer < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    return PyLong_FromLong(answer);
}

/* ethtool(socket, name, command): command is a bytearray, which the kernel may change (linux/ethtool.h). */
static PyObject *call_ethtool(PyObject *module, PyObject *arguments)
{
    int fd;
    const char *name;
    PyObject *command;
    struct ifreq request = {0};
    (void)module;
    if (!PyArg_ParseTuple(arguments, "iyO!", &fd, &name, &PyByteArray_Type, &command))
        return NULL;
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    request.ifr_data = PyByteArray_AS_STRING(command);
    if (ioctl(fd, SIOCETHTOOL, &request) < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"setns", call_setns, METH_VARARGS, NULL},
    {"bpf", call_bpf, METH_VARARGS, NULL},
    {"ethtool", call_ethtool, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "_plumbline", .m_size = -1, .m_methods = methods};

PyMODINIT_FUNC PyInit__plumbline(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (module != NULL && PyModule_AddStringConstant(module, "BUILD", program_build) < 0)
        Py_CLEAR(module);
    return module;
}
